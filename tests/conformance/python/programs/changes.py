"""What is changed from outside while a run waits; a definition that is tried out; starts that must happen once."""

from conductor.client.http.models import StartWorkflowRequest, TaskResult, WorkflowStateUpdate
from conductor.client.http.models.workflow_test_request import WorkflowTestRequest
from conductor.client.workflow.conductor_workflow import ConductorWorkflow
from conductor.client.workflow.task.set_variable_task import SetVariableTask
from conductor.client.workflow.task.simple_task import SimpleTask

from lib import beyond, case, define, ended, equal, executor, output, reached, refused, run_of, simple, start, task
from lib import task_def, task_of, tasks, unique, work, workflow_def, workflows


def waiting(**fields):
    flow = define(task("WAIT", "here"), task("SET_VARIABLE", "set", {"seen": "${workflow.variables.v}"}), **fields)
    run = start(flow)
    reached(run, "here", "IN_PROGRESS")
    return run


@case
@beyond
def variables_are_changed():
    run = waiting(variables={"v": 1, "w": 2})
    workflows().update_variables(run, {"v": [5]})
    equal(run_of(run).variables, {"v": [5], "w": 2})
    tasks().update_task_by_ref_name(run, "here", "COMPLETED", {})
    equal(ended(run).variables["seen"], [5])


@case
@beyond
def variables_of_a_run_that_has_ended_stay():
    run = start(define(task("NOOP", "x")))
    ended(run)
    refused((404, 409), workflows().update_variables, run, {"v": 1})


@case
@beyond
def a_task_and_variables_change_at_once():
    run = waiting(variables={"v": 1})
    result = TaskResult(workflow_instance_id=run, task_id="", status="COMPLETED", output_data={"k": 1})
    change = WorkflowStateUpdate(task_reference_name="here", task_result=result, variables={"v": 2})
    answer = workflows().update_state(run, change, wait_until_task_ref_names=["set"], wait_for_seconds=5)
    equal((answer.status, answer.variables), ("COMPLETED", {"v": 2, "seen": 2}))
    equal(output(run_of(run), "here"), {"k": 1})


@case
def a_definition_is_tried_out():
    name = task_def()
    flow = workflow_def(simple(name, "a"), simple(name, "b", n="${a.output.n}"))
    request = WorkflowTestRequest(
        name=flow.name,
        version=1,
        workflow_def=flow,
        task_ref_to_mock_output={
            "a": [{"status": "FAILED", "output": {}}, {"status": "COMPLETED", "output": {"n": 3}}],
            "b": [{"status": "COMPLETED", "output": {"m": 4}}],
        },
    )
    request.workflow_def.tasks[0]["retryCount"] = 1
    run = workflows().test_workflow(request)
    equal((run.status, task_of(run, "b").input_data, run.output), ("COMPLETED", {"n": 3}, {"m": 4}))


@case
def executed_by_request():
    flow = define(task("NOOP", "x"), output_parameters={"n": "${workflow.input.n}"})
    request = StartWorkflowRequest(name=flow, version=1, input={"n": 1})
    for run in (workflows().execute_workflow(request, wait_for_seconds=10), executor().execute_workflow(request)):
        equal((run.status, run.output), ("COMPLETED", {"n": 1}))


@case
@beyond
def a_key_lets_a_start_happen_once():
    name = task_def()
    flow, key = define(simple(name, "a")), unique("key")
    once = {"idempotency_key": key, "idempotency_strategy": "RETURN_EXISTING"}
    run = start(flow, **once)
    equal(start(flow, **once), run)
    refused(409, start, flow, idempotency_key=key, idempotency_strategy="FAIL")
    work(name)
    ended(run)


@case
def a_workflow_of_the_builder_with_all_it_has():
    name = task_def()
    flow = ConductorWorkflow(executor(), unique("built"), version=2, description="why")
    keep = SetVariableTask("set")
    keep.input_parameters.update({"v": "${workflow.input.n}"})
    flow >> keep >> SimpleTask(name, "a")
    flow.timeout_seconds(0).owner_email("test@example.com").input_parameters(["n"]).variables({"v": 0})
    flow.output_parameter("v", "${workflow.variables.v}").restartable(True).enable_status_listener("sink")
    flow.register(overwrite=True)
    run = flow.start_workflow_with_input({"n": 7}, correlation_id="mine", priority=4)
    work(name)
    done = ended(run)
    equal((done.output, done.correlation_id, done.priority, done.workflow_version), ({"v": 7}, "mine", 4, 2))
    flow.disable_status_listener()
    executor().register_workflow(flow.to_workflow_def(), overwrite=True)
