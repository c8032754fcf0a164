"""Starting in all its ways, waiting for the end in one call, and looking at what runs."""

from conductor.client.http.models import StartWorkflowRequest
from conductor.client.workflow.conductor_workflow import ConductorWorkflow
from conductor.client.workflow.task.inline import InlineTask
from conductor.client.workflow.task.simple_task import SimpleTask
from conductor.client.workflow.task.wait_task import WaitTask

from lib import case, define, ended, equal, eventually, executed, executor, refused, run_of, simple, start
from lib import statuses, task, task_def, unique, wire, work, workflow_def, workflows


def doubling():
    double = InlineTask("double", "$.n * 2", {"n": "${workflow.input.n}"})
    return define(double, output_parameters={"twice": "${double.output.result}"})


@case
def by_request_by_name_and_inline():
    flow = doubling()
    equal(ended(start(flow, {"n": 1})).output, {"twice": 2})
    by_name = workflows().start_workflow_by_name(flow, {"n": 2}, version=1, correlationId="c", priority=7)
    done = ended(by_name)
    equal((done.output, done.correlation_id, done.priority), ({"twice": 4}, "c", 7))
    inline = workflow_def(task("NOOP", "x"))
    equal(statuses(ended(start(inline.name, workflow_def=inline))), {"x": "COMPLETED"})


@case
def several_at_once():
    flow = doubling()
    ids = executor().start_workflows(*(StartWorkflowRequest(name=flow, input={"n": n}) for n in range(3)))
    equal([ended(one).output["twice"] for one in ids], [0, 2, 4])


@case
def what_is_unknown_is_refused():
    refused(404, start, unique("nowhere"))
    refused(404, start, doubling(), version=9)
    refused(404, workflows().get_workflow, unique("nowhere"))
    refused(404, workflows().get_workflow_status, unique("nowhere"))


@case
def executing_waits_for_the_end():
    run = executor().execute(doubling(), 1, {"n": 21}, wait_for_seconds=10)
    equal((run.status, run.output, run.input), ("COMPLETED", {"twice": 42}, {"n": 21}))
    equal([task["referenceTaskName"] if isinstance(task, dict) else task.reference_task_name for task in run.tasks], ["double"])


@case
def executing_waits_for_a_task():
    name = task_def()
    flow = define(task("NOOP", "first"), SimpleTask(name, "slow"))
    run = executor().execute(flow, 1, wait_until_task_ref="first", wait_for_seconds=10)
    equal(run.status, "RUNNING")
    work(name)
    ended(run.workflow_id)


@case
def executing_gives_up_after_its_time():
    name = task_def()
    run = executor().execute(define(SimpleTask(name, "slow")), 1, wait_for_seconds=1)
    equal((run.status, run.output), ("RUNNING", {}))


@case
def executing_returns_at_a_wait():
    request = StartWorkflowRequest(name=define(WaitTask("here"), name="waits"), version=1, input={"n": 1})
    run = executor().execute_workflow_with_return_strategy(request, wait_for_seconds=10)
    equal((run.response_type, run.target_workflow_status), ("TARGET_WORKFLOW", "RUNNING"))
    blocked = executor().execute_workflow_with_return_strategy(request, wait_for_seconds=10, return_strategy="BLOCKING_TASK")
    equal((blocked.response_type, blocked.reference_task_name, blocked.task_type), ("BLOCKING_TASK", "here", "WAIT"))
    for one in (run, blocked):
        workflows().terminate_workflow(one.workflow_id)


@case
def a_workflow_built_in_code_executes():
    flow = ConductorWorkflow(executor=executor(), name=unique("in_code"), version=1)
    flow >> InlineTask("double", "$.n * 2", {"n": flow.input("n")})
    flow.output_parameters({"twice": "${double.output.result}"})
    flow.register(overwrite=True)
    equal(flow(n=5).output, {"twice": 10})


@case
def a_run_is_seen_with_and_without_tasks():
    run = executed(InlineTask("double", "$.n * 2", {"n": "${workflow.input.n}"}), input={"n": 4})
    bare = wire(f"/workflow/{run.workflow_id}?includeTasks=false")
    equal((bare["status"], bare.get("tasks", [])), ("COMPLETED", []))
    assert run.start_time <= run.end_time and run.create_time == run.start_time, run
    equal((run.workflow_name, run.workflow_version, run.workflow_definition.name), (run.workflow_name, 1, run.workflow_name))
    status = executor().get_workflow_status(run.workflow_id, include_output=True, include_variables=True)
    equal((status.status, status.output, status.variables), ("COMPLETED", {"result": 8}, {}))


@case
def runs_are_found_by_correlation():
    name = task_def()
    flow, mark = define(simple(name, "a")), unique("mark")
    first, second = start(flow, correlation_id=mark), start(flow, correlation_id=mark)
    found = executor().get_by_correlation_ids(flow, [mark, "none"], include_closed=True)
    equal({run.workflow_id for run in found[mark]}, {first, second})
    work(name), work(name)
    ended(first), ended(second)
    equal(workflows().get_by_correlation_ids(flow, [mark]).get(mark) or [], [])


@case
def runs_are_found_by_search():
    flow = define(task("NOOP", "x"))
    run = ended(start(flow, correlation_id="sought"))
    query = f"workflowType = '{flow}' AND status IN (COMPLETED)"
    found = eventually(lambda: workflows().search(query=query, size=5).results, "the run in the index")
    equal([(one.workflow_id, one.status, one.correlation_id) for one in found], [(run.workflow_id, "COMPLETED", "sought")])
