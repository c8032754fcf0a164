"""TERMINATE ends the run from within; SET_VARIABLE, NOOP, EXCLUSIVE_JOIN: the small operators."""

from conductor.client.workflow.task.set_variable_task import SetVariableTask
from conductor.client.workflow.task.terminate_task import TerminateTask, WorkflowStatus

from lib import case, define, ended, equal, executed, output, refused, simple, start, statuses, task, task_def


@case
def terminate_completes_the_run_with_its_output():
    end = task("TERMINATE", "end", {"terminationStatus": "COMPLETED", "workflowOutput": {"n": "${workflow.input.n}"}})
    run = executed(end, task("NOOP", "never"), input={"n": 5}, output_parameters={"ignored": 1})
    equal((run.output, statuses(run)), ({"n": 5}, {"end": "COMPLETED"}))


@case
def terminate_fails_the_run_with_its_reason():
    run = executed(TerminateTask("end", WorkflowStatus.FAILED, "because"), task("NOOP", "never"), status="FAILED")
    equal((run.reason_for_incompletion, statuses(run)), ("because", {"end": "COMPLETED"}))


@case
def terminate_terminates_the_run():
    run = executed(TerminateTask("end", WorkflowStatus.TERMINATED, "because"), status="TERMINATED")
    equal(run.reason_for_incompletion, "because")


@case
def terminate_cancels_the_other_branches():
    name = task_def()
    branches = [[simple(name, "slow")], [TerminateTask("end", WorkflowStatus.COMPLETED, "enough").to_workflow_task()]]
    run = executed(task("FORK_JOIN", "fork", forkTasks=branches), task("JOIN", "join", joinOn=["slow", "end"]))
    equal((statuses(run)["slow"], statuses(run)["end"]), ("CANCELED", "COMPLETED"))


@case
def terminate_with_another_status_is_refused():
    refused(400, define, task("TERMINATE", "end", {"terminationStatus": "PAUSED"}))
    refused(400, define, task("TERMINATE", "end", {"terminationStatus": "COMPLETED"}, optional=True))


@case
def variables_are_set_and_seen():
    first = SetVariableTask("first").input_parameter("n", "${workflow.input.n}").input_parameter("keep", True)
    second = SetVariableTask("second").input_parameter("n", "${workflow.variables.n} and more")
    run = executed(first, second, input={"n": 1}, variables={"initial": [1]}, output_parameters={"n": "${workflow.variables.n}"})
    equal(run.variables, {"initial": [1], "n": "1 and more", "keep": True})
    equal((run.output, output(run, "first")), ({"n": "1 and more"}, {}))


@case
def noop_does_nothing():
    equal(output(executed(task("NOOP", "x", {"n": 1})), "x"), {})


@case
def an_exclusive_join_takes_the_branch_that_ran():
    cases = {"left": [task("SET_VARIABLE", "l1", {"way": "left"}), inline("l2", "'left'")], "right": [inline("r1", "'right'")]}
    switch = task("SWITCH", "which", {"way": "${workflow.input.way}"}, evaluatorType="value-param", expression="way")
    join = task("EXCLUSIVE_JOIN", "join", joinOn=["l2", "r1"])
    flow = define(switch | {"decisionCases": cases}, join, task("NOOP", "after"))
    equal(output(ended(start(flow, {"way": "left"})), "join"), {"result": "left"})
    equal(output(ended(start(flow, {"way": "right"})), "join"), {"result": "right"})


def inline(ref, expression):
    return task("INLINE", ref, {"evaluatorType": "javascript", "expression": expression})


@case
def the_last_output_is_that_of_the_run():
    equal(executed(inline("x", "1 + 1")).output, {"result": 2})
    equal(executed(inline("x", "1 + 1"), output_parameters={"y": "${x.output.result}"}).output, {"y": 2})


@case
def a_run_without_tasks_is_refused():
    refused(400, define)
