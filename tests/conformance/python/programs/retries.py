"""Failures: tried again with three kinds of delay, or forgiven, or answered by another workflow."""

from lib import case, define, ended, equal, eventually, executed, polled, result, run_of, simple, start, statuses, table
from lib import task, task_def, task_of, tasks, unique, work, workflows


def delays(**settings):
    """Of the attempts of a task that always fails, in seconds, as they are planned."""
    name = task_def(retry_count=2, retry_delay_seconds=1, **settings)
    run = start(define(simple(name, "a")))
    for _ in range(3):
        work(name, "FAILED")
    failed = ended(run, "FAILED")
    equal(table(failed), "a FAILED\na FAILED\na FAILED")
    equal([task.retry_count for task in failed.tasks], [0, 1, 2])
    for earlier, later in zip(failed.tasks, failed.tasks[1:]):
        assert later.start_time - earlier.end_time >= 950 * later.start_delay_in_seconds, failed.tasks
    return [task.start_delay_in_seconds for task in failed.tasks]


@case
def a_fixed_delay():
    equal(delays(retry_logic="FIXED"), [0, 1, 1])


@case
def a_linear_delay():
    equal(delays(retry_logic="LINEAR_BACKOFF", backoff_scale_factor=1), [0, 1, 2])


@case
def an_exponential_delay():
    equal(delays(retry_logic="EXPONENTIAL_BACKOFF"), [0, 1, 2])


@case
def the_task_may_overrule_its_definition():
    name = task_def(retry_count=5)
    run = start(define(simple(name, "a") | {"retryCount": 1}))
    work(name, "FAILED"), work(name, "FAILED")
    equal(table(ended(run, "FAILED")), "a FAILED\na FAILED")


@case
def a_retry_resolves_its_input_again():
    name, other = task_def(retry_count=1), task_def()
    fork = task("FORK_JOIN", "fork", forkTasks=[[simple(name, "a", v="${workflow.variables.v}")], [simple(other, "b"), task("SET_VARIABLE", "set", {"v": 2})]])
    start(define(fork, task("JOIN", "join", joinOn=["a", "set"]), variables={"v": 1}))
    first = polled(name)
    equal(first.input_data, {"v": 1})
    work(other)
    eventually(lambda: run_of(first.workflow_instance_id).variables == {"v": 2}, "the variable")
    tasks().update_task(result(first, "FAILED"))
    equal(polled(name).input_data, {"v": 2})


@case
def an_optional_task_may_fail():
    name = task_def(retry_count=1)
    run = start(define(simple(name, "a") | {"optional": True}, task("NOOP", "after")))
    work(name, "FAILED"), work(name, "FAILED")
    equal(table(ended(run)), "a FAILED\na COMPLETED_WITH_ERRORS\nafter COMPLETED")


@case
def a_permissive_task_lets_the_run_go_on_and_fail_at_its_end():
    name = task_def()
    run = start(define(simple(name, "a") | {"permissive": True}, task("NOOP", "after")))
    work(name, "FAILED", reason_for_incompletion="no")
    done = ended(run, "FAILED")
    equal(statuses(done), {"a": "FAILED", "after": "COMPLETED"})


@case
def a_failure_workflow_is_told_of_it():
    name, mark = task_def(), unique("mark")
    undo = define(task("NOOP", "undo"), name="undo")
    run = start(define(simple(name, "a"), failure_workflow=undo), {"x": 1}, correlation_id=mark)
    work(name, "FAILED", reason_for_incompletion="no luck")
    failed = ended(run, "FAILED")
    undone = ended(eventually(lambda: run_of(run).output.get("conductor.failure_workflow"), "its id"))
    equal((undone.workflow_name, undone.correlation_id), (undo, mark))
    told = undone.input
    equal((told["x"], told["workflowId"], told["failureStatus"]), (1, run, "FAILED"))
    equal(told["failureTaskId"], task_of(failed, "a").task_id)
    assert "no luck" in told["reason"], told["reason"]
    equal(told["failedWorkflow"]["workflowId"], run)


@case
def terminating_by_hand_starts_no_failure_workflow():
    name = task_def()
    run = start(define(simple(name, "a"), failure_workflow=define(task("NOOP", "undo"))))
    workflows().terminate_workflow(run)
    assert "conductor.failure_workflow" not in ended(run, "TERMINATED").output


@case
def a_terminate_task_that_fails_starts_it():
    undo = define(task("NOOP", "undo"), name="undo")
    end = task("TERMINATE", "end", {"terminationStatus": "FAILED", "terminationReason": "no"})
    run = executed(end, status="FAILED", failure_workflow=undo)
    eventually(lambda: run_of(run.workflow_id).output.get("conductor.failure_workflow"), "its id")
