"""DYNAMIC: which task it is stands in its input."""

from conductor.client.workflow.task.dynamic_task import DynamicTask

from lib import case, define, ended, equal, executed, output, refused, start, task, task_def, task_of, work


@case
def the_input_names_the_task():
    name = task_def()
    run = start(define(DynamicTask("${workflow.input.which}", "any").input_parameter("n", 1)), {"which": name})
    taken = work(name, output={"done": 1})
    equal(taken.input_data, {"n": 1, "taskToExecute": name})
    done = ended(run)
    equal((task_of(done, "any").task_type, output(done, "any")), (name, {"done": 1}))
    equal(len(done.tasks), 1)


@case
def the_name_may_be_a_system_task():
    script = {"expression": "$.n + 1", "evaluatorType": "javascript", "n": 1}
    done = executed(task("DYNAMIC", "any", script | {"which": "${workflow.input.w}"}, dynamicTaskNameParam="which"), input={"w": "INLINE"})
    equal((task_of(done, "any").task_type, output(done, "any")), ("INLINE", {"result": 2}))


@case
def no_name_fails_the_run():
    executed(DynamicTask("${workflow.input.which}", "any"), status="FAILED")


@case
def a_definition_without_the_parameter_is_refused():
    refused(400, define, task("DYNAMIC", "any"))
