"""SUB_WORKFLOW runs another workflow and ends as it ends; cancelling goes both ways. START_WORKFLOW only starts one."""

from conductor.client.http.models import StartWorkflowRequest
from conductor.client.workflow.conductor_workflow import ConductorWorkflow
from conductor.client.workflow.task.inline import InlineTask
from conductor.client.workflow.task.start_workflow_task import StartWorkflowTask
from conductor.client.workflow.task.sub_workflow_task import InlineSubWorkflowTask, SubWorkflowTask

from lib import case, child_of, define, ended, equal, executed, executor, metadata, output, reached, run_of
from lib import simple, start, statuses, task, task_def, task_of, unique, work, workflow_def, workflows


def waiting():
    """A parent whose child waits for a worker: the name of the task, the parent, the child."""
    name = task_def()
    run = start(define(SubWorkflowTask("sub", define(simple(name, "inner"), name="child")), name="parent"))
    child = child_of(run)
    reached(child, "inner", "SCHEDULED")
    return name, run, child


@case
def the_output_of_the_child_is_that_of_the_task():
    child = define(InlineTask("twice", "$.n * 2", {"n": "${workflow.input.n}"}), output_parameters={"twice": "${twice.output.result}"})
    sub = SubWorkflowTask("sub", child, 1).input_parameter("n", "${workflow.input.n}")
    run = ended(start(define(sub), {"n": 4}, correlation_id="c-1"))
    done = run_of(task_of(run, "sub").sub_workflow_id)
    equal(run.output, {"twice": 8, "subWorkflowId": done.workflow_id})
    equal((done.parent_workflow_id, done.parent_workflow_task_id), (run.workflow_id, task_of(run, "sub").task_id))
    equal((done.input, done.correlation_id, done.workflow_name), ({"n": 4}, "c-1", child))


@case
def a_definition_may_stand_inline():
    child = ConductorWorkflow(executor=executor(), name=unique("inline"), version=1)
    child >> InlineTask("hello", "'hello ' + $.who", {"who": "${workflow.input.who}"})
    done = executed(InlineSubWorkflowTask("sub", child).input_parameter("who", "you"))
    equal(output(done, "sub")["result"], "hello you")


@case
def a_definition_may_come_with_the_input():
    inline = {"name": unique("given"), "version": 1, "schemaVersion": 2, "tasks": [task("SET_VARIABLE", "x", {"a": 1})]}
    sub = task("SUB_WORKFLOW", "sub", subWorkflowParam={"name": "given", "version": 1, "workflowDefinition": "${workflow.input.flow}"})
    done = executed(sub, input={"flow": inline})
    equal(statuses(run_of(task_of(done, "sub").sub_workflow_id)), {"x": "COMPLETED"})


@case
def the_latest_version_runs_where_none_is_named():
    child = define(task("NOOP", "old"))
    newer = workflow_def(task("NOOP", "new"), version=2)
    newer.name = child
    metadata().register_workflow_def(newer)
    done = executed(SubWorkflowTask("sub", child), SubWorkflowTask("sub1", child, 1))
    equal(statuses(run_of(task_of(done, "sub").sub_workflow_id)), {"new": "COMPLETED"})
    equal(statuses(run_of(task_of(done, "sub1").sub_workflow_id)), {"old": "COMPLETED"})


@case
def a_failed_child_fails_its_parent():
    name, run, child = waiting()
    work(name, "FAILED", reason_for_incompletion="no luck")
    ended(child, "FAILED")
    done = ended(run, "FAILED")
    equal(statuses(done), {"sub": "FAILED"})
    assert "no luck" in task_of(done, "sub").reason_for_incompletion, task_of(done, "sub").reason_for_incompletion


@case
def terminating_the_parent_terminates_the_child():
    _, run, child = waiting()
    workflows().terminate_workflow(run, "enough")
    equal(statuses(ended(run, "TERMINATED")), {"sub": "CANCELED"})
    equal(statuses(ended(child, "TERMINATED")), {"inner": "CANCELED"})


@case
def terminating_the_child_terminates_the_parent():
    _, run, child = waiting()
    workflows().terminate_workflow(child, "enough")
    ended(child, "TERMINATED")
    equal(statuses(ended(run, "TERMINATED")), {"sub": "CANCELED"})


@case
def retrying_the_child_revives_the_parent():
    name, run, child = waiting()
    work(name, "FAILED")
    ended(run, "FAILED")
    workflows().retry_workflow(child)
    equal(run_of(child).status, "RUNNING")
    reached(run, "sub", "IN_PROGRESS")
    equal(run_of(run).status, "RUNNING")
    work(name)
    equal([task.status for task in ended(child).tasks], ["FAILED", "COMPLETED"])
    equal([task.status for task in ended(run).tasks], ["COMPLETED"])


@case
def retrying_the_parent_starts_a_new_child():
    name, run, child = waiting()
    work(name, "FAILED")
    ended(run, "FAILED")
    workflows().retry_workflow(run)
    work(name)
    done = ended(run)
    equal([task.status for task in done.tasks], ["FAILED", "COMPLETED"])
    assert task_of(done, "sub").sub_workflow_id != child, "the old child is taken again"


@case
def retrying_the_parent_may_go_on_with_the_child():
    name, run, child = waiting()
    work(name, "FAILED")
    ended(run, "FAILED")
    workflows().retry_workflow(run, resume_subworkflow_tasks=True)
    work(name)
    equal([task.status for task in ended(run).tasks], ["COMPLETED"])
    equal([task.status for task in ended(child).tasks], ["FAILED", "COMPLETED"])


@case
def an_unknown_child_fails_the_parent():
    sub = task("SUB_WORKFLOW", "sub", subWorkflowParam={"name": "${workflow.input.which}", "version": 1})
    done = executed(sub, input={"which": "nowhere"}, status="FAILED")
    equal(statuses(done), {"sub": "FAILED"})


@case
def start_workflow_does_not_wait():
    name = task_def()
    child = define(simple(name, "slow"))
    request = StartWorkflowRequest(name=child, input={"n": 1}, correlation_id="of-mine")
    done = executed(StartWorkflowTask("begin", child, request, 1))
    started = run_of(output(done, "begin")["workflowId"])
    equal((started.status, started.input, started.correlation_id), ("RUNNING", {"n": 1}, "of-mine"))
    work(name)
    ended(started.workflow_id)


@case
def start_workflow_of_what_is_unknown_fails():
    done = executed(task("START_WORKFLOW", "begin", {"startWorkflow": {"name": "nowhere", "input": {}}}), status="FAILED")
    equal(statuses(done), {"begin": "FAILED"})
