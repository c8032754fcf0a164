"""FORK_JOIN begins all of its branches; the JOIN after it waits for those that it names."""

from conductor.client.http.rest import ApiException
from conductor.client.workflow.task.fork_task import ForkTask
from conductor.client.workflow.task.set_variable_task import SetVariableTask
from conductor.client.workflow.task.simple_task import SimpleTask

from lib import case, define, ended, equal, executed, output, reached, refused, run_of, simple, start
from lib import statuses, task, task_def, task_of, work


def fork(*branches, join_on, **join):
    return [
        task("FORK_JOIN", "fork", forkTasks=[list(branch) for branch in branches]),
        task("JOIN", "join", joinOn=join_on, **join),
    ]


@case
def branches_run_side_by_side_and_are_joined():
    a, b, c = task_def("a"), task_def("b"), task_def("c")
    branches = [[SimpleTask(a, "a1"), SimpleTask(b, "a2")], [SimpleTask(c, "b1")]]
    run = start(define(ForkTask("fork", branches, join_on=["a2", "b1"]), SetVariableTask("after")))
    work(c, output={"c": 3})
    work(a, output={"a": 1})
    equal(statuses(run_of(run))["fork_join"], "IN_PROGRESS")
    work(b, output={"b": 2})
    done = ended(run)
    equal([task.task_type for task in done.tasks], ["FORK", a, c, "JOIN", b, "SET_VARIABLE"])
    equal(output(done, "fork_join"), {"a2": {"b": 2}, "b1": {"c": 3}})


@case
def a_join_waits_only_for_those_it_names():
    fast, slow = task_def("fast"), task_def("slow")
    run = start(define(*fork([simple(fast, "f")], [simple(slow, "s")], join_on=["f"]), task("NOOP", "after")))
    work(fast)
    reached(run, "after", "COMPLETED")
    equal(statuses(run_of(run))["s"], "SCHEDULED")
    work(slow)
    ended(run)


@case
def a_failed_branch_fails_the_run_at_once():
    good, bad = task_def("good"), task_def("bad")
    run = start(define(*fork([simple(good, "g")], [simple(bad, "b")], join_on=["g", "b"])))
    work(bad, "FAILED", reason_for_incompletion="broken")
    done = ended(run, "FAILED")
    equal(statuses(done), {"fork": "COMPLETED", "g": "CANCELED", "b": "FAILED", "join": "CANCELED"})
    equal(task_of(done, "b").reason_for_incompletion, "broken")
    equal(done.failed_reference_task_names, {"b"})


@case
def an_optional_branch_may_fail():
    good, bad = task_def("good"), task_def("bad")
    optional = simple(bad, "b") | {"optional": True}
    run = start(define(*fork([simple(good, "g")], [optional], join_on=["g", "b"]), task("NOOP", "after")))
    work(bad, "FAILED", {"half": 1})
    work(good, output={"g": 1})
    done = ended(run)
    equal(statuses(done) | {"fork": ""}, {"fork": "", "g": "COMPLETED", "b": "COMPLETED_WITH_ERRORS"} | rest())
    equal(output(done, "join"), {"g": {"g": 1}, "b": {"half": 1}})


def rest():
    return {"join": "COMPLETED_WITH_ERRORS", "after": "COMPLETED"}


@case
def a_permissive_branch_lets_the_others_end():
    good, bad = task_def("good"), task_def("bad")
    permissive = simple(bad, "b") | {"permissive": True}
    run = start(define(*fork([permissive], [simple(good, "g")], join_on=["b", "g"]), task("NOOP", "after")))
    work(bad, "FAILED")
    equal(statuses(reached(run, "b", "FAILED"))["g"], "SCHEDULED")
    work(good)
    done = ended(run, "FAILED")
    equal({ref: statuses(done)[ref] for ref in ("b", "g", "join")}, {"b": "FAILED", "g": "COMPLETED", "join": "FAILED"})


@case
def forks_nest():
    inner = [
        task("FORK_JOIN", "inner", forkTasks=[[task("NOOP", "x")], [task("NOOP", "y")]]),
        task("JOIN", "inner_join", joinOn=["x", "y"]),
    ]
    done = executed(*fork(inner, [task("NOOP", "z")], join_on=["inner_join", "z"]), task("NOOP", "after"))
    equal(set(statuses(done)), {"fork", "inner", "x", "y", "inner_join", "z", "join", "after"})


@case
def a_fork_without_a_join_does_not_come_to_its_end():
    """Conductor fails the run; Partitur refuses the definition."""
    fork = task("FORK_JOIN", "fork", forkTasks=[[task("NOOP", "x")]])
    try:
        executed(fork, task("NOOP", "after"), status="FAILED")
    except ApiException as error:
        equal(error.status, 400)


@case
def a_fork_without_branches_is_refused():
    refused(400, define, task("FORK_JOIN", "fork", forkTasks=[]), task("JOIN", "join", joinOn=[]))
