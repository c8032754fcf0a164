"""SIMPLE: a task that a worker takes, with input that was resolved when it became ready."""

from conductor.client.workflow.conductor_workflow import ConductorWorkflow
from conductor.client.workflow.task.simple_task import SimpleTask

from lib import case, define, ended, equal, executor, output, polled, result, run_of, simple, start, statuses
from lib import task_def, task_of, tasks, unique, work


@case
def a_sequence_passes_outputs_on():
    first, second = task_def("first"), task_def("second")
    flow = ConductorWorkflow(executor=executor(), name=unique("sequence"), version=1)
    flow >> SimpleTask(first, "a").input_parameter("n", "${workflow.input.n}") >> SimpleTask(second, "b").input_parameter(
        "twice", "${a.output.twice}"
    )
    flow.output_parameters({"sum": "${b.output.sum}", "text": "${workflow.input.n} and ${a.output.twice}"})
    flow.register(overwrite=True)
    run = start(flow.name, {"n": 3})
    equal(work(first, output={"twice": 6}).input_data, {"n": 3})
    equal(work(second, output={"sum": 9}).input_data, {"twice": 6})
    done = ended(run)
    equal(done.output, {"sum": 9, "text": "3 and 6"})
    equal(statuses(done), {"a": "COMPLETED", "b": "COMPLETED"})


@case
def a_worker_task_is_named_after_its_definition():
    name = task_def()
    run = start(define(simple(name, "a")))
    taken = polled(name)
    equal((taken.task_type, taken.task_def_name, taken.reference_task_name), (name, name, "a"))
    equal((taken.status, taken.poll_count, taken.retry_count, taken.seq), ("IN_PROGRESS", 1, 0, 1))
    equal((taken.worker_id, taken.workflow_instance_id, taken.response_timeout_seconds), ("by-hand", run, 600))
    tasks().update_task(result(taken, output={"x": None, "list": [1, {"y": 2.5}]}))
    done = ended(run)
    equal(output(done, "a"), {"x": None, "list": [1, {"y": 2.5}]})
    equal(done.output, {"x": None, "list": [1, {"y": 2.5}]})


@case
def a_task_needs_no_definition():
    name = unique("undefined")
    run = start(define(simple(name, "a")))
    work(name, output={"done": True})
    equal(task_of(ended(run), "a").response_timeout_seconds, 3600)


@case
def expressions_keep_the_type_of_what_they_name():
    name = task_def()
    inputs = {
        "whole": "${workflow.input}",
        "number": "${workflow.input.list[1]}",
        "text": "n=${workflow.input.n}",
        "missing": "${workflow.input.nothing}",
        "deep": [{"k": "${workflow.input.map.k}"}],
        "escaped": "$${workflow.input.n}",
        "nested": "${workflow.input.${workflow.input.key}}",
    }
    start(define(simple(name, "a", **inputs)), {"n": 1, "list": [1, 2.5], "map": {"k": True}, "key": "n"})
    equal(
        polled(name).input_data,
        {
            "whole": {"n": 1, "list": [1, 2.5], "map": {"k": True}, "key": "n"},
            "number": 2.5,
            "text": "n=1",
            "missing": None,
            "deep": [{"k": True}],
            "escaped": "${workflow.input.n}",
            "nested": 1,
        },
    )


@case
def templates_fill_what_is_missing():
    name = task_def(input_template={"a": 1, "b": 2})
    flow = define(simple(name, "a", b="${workflow.input.b}", c="${workflow.input.c}"), input_template={"c": 30})
    start(flow, {"b": 20})
    equal(polled(name).input_data, {"a": 1, "b": 20, "c": 30})


@case
def a_start_delay_holds_the_task_back():
    name = task_def()
    run = start(define(simple(name, "a") | {"startDelay": 1}))
    taken = polled(name)
    assert taken.start_time - taken.scheduled_time >= 900, taken.start_time - taken.scheduled_time
    equal(task_of(run_of(run), "a").start_delay_in_seconds, 1)


@case
def higher_priority_is_taken_first():
    name = task_def()
    flow = define(simple(name, "a"))
    low, high = start(flow, priority=1), start(flow, priority=90)
    equal([polled(name).workflow_instance_id, polled(name).workflow_instance_id], [high, low])
    equal(run_of(high).priority, 90)
