"""FORK_JOIN_DYNAMIC makes its branches from what it is given: tasks with inputs, inputs alone, or the older one list."""

from conductor.client.workflow.task.dynamic_fork_task import DynamicForkTask
from conductor.client.workflow.task.join_task import JoinTask

from lib import case, define, ended, equal, executed, output, polled, result, simple, start, statuses, task
from lib import task_def, task_of, tasks, work


def by_tasks_and_inputs():
    fork = DynamicForkTask("fork", join_task=JoinTask("join"))
    fork.input_parameter("dynamicTasks", "${workflow.input.tasks}")
    return fork.input_parameter("dynamicTasksInputs", "${workflow.input.inputs}")


def by_inputs(**input):
    fork = task("FORK_JOIN_DYNAMIC", "fork", input | {"forkTaskInputs": "${workflow.input.inputs}"})
    return [fork, task("JOIN", "join")]


@case
def tasks_and_their_inputs():
    name = task_def()
    flow = define(by_tasks_and_inputs(), task("NOOP", "after"))
    inputs = {"x": {"n": 1}, "y": {"n": 2}}
    run = start(flow, {"tasks": [simple(name, "x"), simple(name, "y")], "inputs": inputs})
    for _ in inputs:
        taken = polled(name)
        equal(taken.input_data["n"], inputs[taken.reference_task_name]["n"])
        tasks().update_task(result(taken, output={"got": taken.input_data["n"]}))
    done = ended(run)
    equal(output(done, "join"), {"x": {"got": 1}, "y": {"got": 2}})
    equal(sorted(task_of(done, "fork").input_data["forkedTasks"]), ["x", "y"])
    equal([task.task_type for task in done.tasks], ["FORK", name, name, "JOIN", "NOOP"])


@case
def the_same_task_for_each_input():
    name = task_def()
    run = start(define(*by_inputs(forkTaskName=name)), {"inputs": [{"n": 1}, {"n": 2}, "three"]})
    seen = sorted((work(name, output={"ok": True}).input_data for _ in range(3)), key=lambda input: input["__index"])
    equal(seen, [{"n": 1, "__index": 0}, {"n": 2, "__index": 1}, {"input": "three", "__index": 2}])
    done = ended(run)
    equal(sorted(output(done, "join")), [f"_{name}_{index}" for index in range(3)])


@case
def a_sub_workflow_for_each_input():
    child = define(task("SET_VARIABLE", "set", {"n": "${workflow.input.n}"}), output_parameters={"n": "${workflow.input.n}"})
    done = executed(*by_inputs(forkTaskWorkflow=child), input={"inputs": [{"n": 1}, {"n": 2}]})
    equal([task.task_type for task in done.tasks], ["FORK", "SUB_WORKFLOW", "SUB_WORKFLOW", "JOIN"])
    equal(sorted(one["n"] for one in output(done, "join").values()), [1, 2])


@case
def an_inline_script_for_each_input():
    inputs = [{"expression": "$.n * 2", "evaluatorType": "javascript", "n": n} for n in (1, 2)]
    done = executed(*by_inputs(forkTaskName="double", forkTaskType="INLINE"), input={"inputs": inputs})
    equal(output(done, "join"), {"_double_0": {"result": 2}, "_double_1": {"result": 4}})


@case
def the_older_list_of_tasks():
    name = task_def()
    fork = task("FORK_JOIN_DYNAMIC", "fork", {"all": "${workflow.input.all}"}, dynamicForkJoinTasksParam="all")
    branch = {"taskName": name, "referenceName": "x", "type": "SIMPLE", "input": {"n": 7}}
    run = start(define(fork, task("JOIN", "join")), {"all": {"dynamicTasks": [branch]}})
    equal(work(name, output={"ok": 1}).input_data["n"], 7)
    equal(output(ended(run), "join"), {"x": {"ok": 1}})


@case
def no_branches_are_joined_at_once():
    done = executed(by_tasks_and_inputs(), task("NOOP", "after"), input={"tasks": [], "inputs": {}})
    equal(statuses(done), {"fork": "COMPLETED", "join": "COMPLETED", "after": "COMPLETED"})
    equal(output(done, "join"), {})


@case
def what_is_no_list_fails_the_run():
    executed(by_tasks_and_inputs(), input={"tasks": "many", "inputs": {}}, status="FAILED")
    executed(by_tasks_and_inputs(), input={"tasks": [task("NOOP", "x")], "inputs": [1]}, status="FAILED")


@case
def a_failed_branch_fails_the_run():
    name = task_def()
    run = start(define(*by_inputs(forkTaskName=name)), {"inputs": [{}, {}]})
    first = work(name, "FAILED").reference_task_name
    done = ended(run, "FAILED")
    equal(statuses(done).pop(first), "FAILED")
    equal(sorted(statuses(done).values()), ["CANCELED", "CANCELED", "COMPLETED", "FAILED"])


@case
def a_hundred_branches():
    inputs = [{"expression": "$.__index", "evaluatorType": "javascript"} for _ in range(100)]
    done = executed(*by_inputs(forkTaskName="many", forkTaskType="INLINE"), input={"inputs": inputs})
    equal(output(done, "join")["_many_99"], {"result": 99})
    equal(len(output(done, "join")), 100)
