"""DO_WHILE repeats its body while its condition holds, or once for each item of a list."""

from conductor.client.workflow.task.do_while_task import DoWhileTask, LoopTask
from conductor.client.workflow.task.inline import InlineTask
from conductor.client.workflow.task.simple_task import SimpleTask

from lib import case, define, ended, equal, executed, output, refused, start, statuses, task, task_def, work


def counted(ref, expression="$.n", **input):
    return InlineTask(ref, expression, input)


@case
def a_loop_counts():
    done = executed(LoopTask("loop", 3, [counted("square", "$.n * $.n", n="${loop.output.iteration}")]))
    equal(list(statuses(done)), ["loop", "square__1", "square__2", "square__3"])
    iterations = {str(n): {"square": {"result": n * n}} for n in (1, 2, 3)}
    equal(output(done, "loop"), iterations | {"iteration": 3})


@case
def the_condition_sees_the_latest_outputs():
    name = task_def()
    run = start(define(DoWhileTask("loop", "$.ask['more'] == true", [SimpleTask(name, "ask")]), task("NOOP", "after")))
    equal(work(name, output={"more": True}).reference_task_name, "ask__1")
    again = work(name, output={"more": False})
    equal((again.reference_task_name, again.iteration), ("ask__2", 2))
    equal(list(statuses(ended(run))), ["loop", "ask__1", "ask__2", "after"])


@case
def bodies_have_several_tasks():
    body = [counted("a", n=1), counted("b", "$.x + 1", x="${a.output.result}")]
    done = executed(LoopTask("loop", 2, body), counted("after", n="${b.output.result}"))
    equal(list(statuses(done)), ["loop", "a__1", "b__1", "a__2", "b__2", "after"])
    equal(done.output, {"result": 2})


@case
def a_list_gives_its_items():
    body = [task("SET_VARIABLE", "set", {"last": "${loop.output.loopItem}"})]
    loop = task("DO_WHILE", "loop", loopCondition="", items="${workflow.input.items}", loopOver=body)
    done = executed(loop, input={"items": ["x", "y"]})
    equal(list(statuses(done)), ["loop", "set__1", "set__2"])
    equal(done.variables, {"last": "y"})
    equal({key: output(done, "loop")[key] for key in ("iteration", "loopIndex", "loopItem")}, {"iteration": 2, "loopIndex": 1, "loopItem": "y"})


@case
def an_empty_list_runs_nothing():
    loop = task("DO_WHILE", "loop", loopCondition="", items="${workflow.input.items}", loopOver=[task("NOOP", "x")])
    done = executed(loop, task("NOOP", "after"), input={"items": []})
    equal(list(statuses(done)), ["loop", "after"])


@case
def only_the_last_iterations_are_kept():
    loop = LoopTask("loop", 5, [counted("a", n="${loop.output.iteration}")]).input_parameter("keepLastN", 2)
    done = executed(loop)
    equal(list(statuses(done)), ["loop", "a__4", "a__5"])
    equal(sorted(output(done, "loop")), ["4", "5", "iteration"])


@case
def a_failed_body_fails_the_run():
    name = task_def()
    run = start(define(LoopTask("loop", 3, [SimpleTask(name, "a")])))
    work(name)
    work(name, "FAILED")
    equal(statuses(ended(run, "FAILED")), {"loop": "CANCELED", "a__1": "COMPLETED", "a__2": "FAILED"})


@case
def a_body_task_is_retried_within_its_iteration():
    name = task_def(retry_count=1)
    run = start(define(LoopTask("loop", 2, [SimpleTask(name, "a")])))
    work(name, "FAILED")
    again = work(name)
    equal((again.reference_task_name, again.retry_count), ("a__1", 1))
    work(name)
    equal([task.reference_task_name for task in ended(run).tasks], ["loop", "a__1", "a__1", "a__2"])


@case
def a_condition_that_throws_fails_the_run():
    done = executed(DoWhileTask("loop", "$.no.such.thing > 1", [counted("a", n=1)]), status="FAILED")
    equal(statuses(done)["loop"], "FAILED_WITH_TERMINAL_ERROR")


@case
def a_switch_within_a_loop():
    cases = {"1": [task("NOOP", "first")], "2": [task("NOOP", "second")]}
    switch = task("SWITCH", "which", {"i": "${loop.output.iteration}"}, evaluatorType="value-param", expression="i")
    loop = task("DO_WHILE", "loop", loopCondition="$.loop['iteration'] < 3", loopOver=[switch | {"decisionCases": cases}])
    done = executed(loop, task("NOOP", "after"))
    equal(list(statuses(done)), ["loop", "which__1", "first__1", "which__2", "second__2", "which__3", "after"])


@case
def a_fork_within_a_loop():
    body = [
        task("FORK_JOIN", "fork", forkTasks=[[task("NOOP", "x")], [task("NOOP", "y")]]),
        task("JOIN", "join", joinOn=["x", "y"]),
    ]
    done = executed(task("DO_WHILE", "loop", loopCondition="$.loop['iteration'] < 2", loopOver=body))
    equal(set(statuses(done)), {"loop"} | {f"{ref}__{i}" for ref in ("fork", "x", "y", "join") for i in (1, 2)})


@case
def a_loop_without_condition_or_body_is_refused():
    refused(400, define, task("DO_WHILE", "loop", loopOver=[task("NOOP", "x")]))
    refused(400, define, task("DO_WHILE", "loop", loopCondition="false", loopOver=[]))
