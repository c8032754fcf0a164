"""WAIT, HUMAN, and what brings them to their end: time, signals, updates by reference."""

from conductor.client.workflow.task.human_task import HumanTask
from conductor.client.workflow.task.wait_task import WaitForDurationTask, WaitTask, WaitUntilTask

from lib import case, child_of, define, ended, equal, executed, executor, output, reached, refused, run_of, simple, start
from lib import statuses, task, task_def, task_of, tasks, unique, work, workflows
from conductor.client.workflow.task.sub_workflow_task import SubWorkflowTask


@case
def a_wait_for_a_duration():
    done = executed(WaitForDurationTask("pause", 1), task("NOOP", "after"))
    waited = task_of(done, "pause")
    equal((waited.task_type, waited.status), ("WAIT", "COMPLETED"))
    assert waited.end_time - waited.scheduled_time >= 990, waited.end_time - waited.scheduled_time


@case
def a_wait_until_a_time_that_has_passed():
    executed(WaitUntilTask("until", "2020-01-01 00:00 UTC"))


@case
def a_wait_for_both_is_refused():
    refused(400, define, task("WAIT", "both", {"duration": "1s", "until": "2020-01-01"}))


@case
def a_signal_completes_the_first_wait():
    run = start(define(WaitTask("first"), WaitTask("second")))
    executor().signal_async(run, "COMPLETED", {"n": 1})
    equal(output(reached(run, "second", "IN_PROGRESS"), "first"), {"n": 1})
    answer = executor().signal(run, "COMPLETED", {"n": 2})
    equal((answer.response_type, answer.workflow_id), ("TARGET_WORKFLOW", run))
    equal(ended(run).output, {"n": 2})


@case
def a_signal_reaches_the_wait_of_a_sub_workflow():
    run = start(define(SubWorkflowTask("sub", define(WaitTask("inner"), name="child")), name="parent"))
    child = child_of(run, "sub")
    reached(child, "inner", "IN_PROGRESS")
    executor().signal_async(run, "COMPLETED", {"n": 1})
    equal(output(ended(child), "inner"), {"n": 1})
    ended(run)


@case
def a_signal_may_fail_the_wait():
    run = start(define(WaitTask("first")))
    executor().signal_async(run, "FAILED", {"why": "so"})
    equal(statuses(ended(run, "FAILED")), {"first": "FAILED"})


@case
def a_signal_to_what_does_not_wait_is_refused():
    name = task_def()
    run = start(define(simple(name, "a")))
    refused(404, executor().signal, run, "COMPLETED", {})
    refused(404, executor().signal, unique("nowhere"), "COMPLETED", {})
    executor().signal_async(run, "COMPLETED", {})
    equal(statuses(run_of(run)), {"a": "SCHEDULED"})


@case
def a_signal_answers_with_the_next_blocking_task():
    run = start(define(WaitTask("first"), WaitTask("second")))
    answer = executor().signal(run, "COMPLETED", {}, "BLOCKING_TASK")
    equal((answer.response_type, answer.reference_task_name, answer.status.value), ("BLOCKING_TASK", "second", "IN_PROGRESS"))
    answer = executor().signal(run, "COMPLETED", {}, "BLOCKING_WORKFLOW")
    equal((answer.response_type, answer.target_workflow_status), ("BLOCKING_WORKFLOW", "COMPLETED"))


@case
def a_wait_is_completed_by_reference():
    run = start(define(WaitTask("here"), task("NOOP", "after")))
    equal(statuses(run_of(run)), {"here": "IN_PROGRESS"})
    executor().update_task_by_ref_name({"n": 1}, run, "here", "COMPLETED")
    equal(output(ended(run), "here"), {"n": 1})


@case
def a_human_task_waits_for_its_answer():
    human = HumanTask("ask", "Approve?").input_parameter("amount", "${workflow.input.amount}")
    run = start(define(human, task("NOOP", "after")), {"amount": 5})
    asked = task_of(reached(run, "ask", "IN_PROGRESS"), "ask")
    equal((asked.task_type, asked.input_data["amount"]), ("HUMAN", 5))
    tasks().update_task_sync(run, "ask", "COMPLETED", {"approved": True})
    equal(output(ended(run), "ask"), {"approved": True})


@case
def a_wait_in_a_fork_does_not_hold_the_other_branch():
    name = task_def()
    fork = task("FORK_JOIN", "fork", forkTasks=[[task("WAIT", "wait")], [simple(name, "a")]])
    run = start(define(fork, task("JOIN", "join", joinOn=["wait", "a"])))
    work(name)
    reached(run, "a", "COMPLETED")
    executor().signal_async(run, "COMPLETED", {})
    ended(run)


@case
def terminating_cancels_a_wait():
    run = start(define(WaitTask("here")))
    workflows().terminate_workflow(run)
    equal(statuses(ended(run, "TERMINATED")), {"here": "CANCELED"})
