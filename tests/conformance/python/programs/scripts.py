"""INLINE and LAMBDA run JavaScript; JSON_JQ_TRANSFORM runs jq."""

from conductor.client.workflow.task.inline import InlineTask
from conductor.client.workflow.task.javascript_task import JavascriptTask
from conductor.client.workflow.task.json_jq_task import JsonJQTask

from lib import case, define, equal, executed, fixme, output, refused, statuses, task, task_of


def result(expression, **input):
    return output(executed(InlineTask("x", expression, input)), "x")["result"]


@case
def a_script_gives_the_value_of_its_last_expression():
    equal(result("(function () { return $.a + $.b; })();", a=1, b=2), 3)
    equal(result("var s = 0; for (var i = 0; i < 5; i++) { s += i; } s;"), 10)


@case
def values_keep_their_kinds():
    equal(result("({ n: 1, f: 1.5, s: 'x', t: true, l: [1, 'a', { y: 2 }], none: null })"), {"n": 1, "f": 1.5, "s": "x", "t": True, "l": [1, "a", {"y": 2}], "none": None})
    equal(result("undefined"), None)
    equal(result("$.list.map(x => x * 2).filter(x => x > 2)", list=[1, 2, 3]), [4, 6])


@case
def a_script_sees_its_input():
    run = executed(JavascriptTask("x", "$.who.toUpperCase() + $.list.length", {"who": "${workflow.input.who}", "list": "${workflow.input.list}"}), input={"who": "me", "list": [1, 2]})
    equal(run.output, {"result": "ME2"})


@case
def a_script_that_throws_fails_for_good():
    run = executed(InlineTask("x", "(function () { throw new Error('so bad'); })()"), status="FAILED")
    equal(statuses(run), {"x": "FAILED_WITH_TERMINAL_ERROR"})
    assert "so bad" in task_of(run, "x").reason_for_incompletion, task_of(run, "x").reason_for_incompletion


@case
def value_param_gives_an_input():
    run = executed(task("INLINE", "x", {"evaluatorType": "value-param", "expression": "n", "n": 7}))
    equal(run.output, {"result": 7})


@case
def a_lambda_is_the_body_of_a_function():
    run = executed(task("LAMBDA", "x", {"n": 3, "scriptExpression": "if ($.n > 2) { return {big: true}; } return {big: false};"}))
    equal(run.output, {"result": {"big": True}})


@case
def jq_gives_its_first_result_and_all():
    jq = JsonJQTask("x", ".list | map(. + 1) | .[]").input_parameter("list", "${workflow.input.list}")
    run = executed(jq, input={"list": [1, 2, 3]})
    equal(output(run, "x"), {"result": 2, "resultList": [2, 3, 4]})


@case
def jq_makes_objects():
    jq = JsonJQTask("x", "{names: [.people[].name], total: ([.people[].age] | add), half: (3 / 2)}")
    jq.input_parameter("people", [{"name": "a", "age": 1}, {"name": "b", "age": 2}])
    equal(output(executed(jq), "x")["result"], {"names": ["a", "b"], "total": 3, "half": 1.5})


@case
def jq_that_is_wrong_fails_the_run():
    run = executed(JsonJQTask("x", ".a | no_such_function"), status="FAILED")
    equal(statuses(run), {"x": "FAILED"})


@case
@fixme("an object has nothing at a number, and that is no fault")
def jq_that_does_not_fit_its_input_fails_the_run():
    run = executed(JsonJQTask("x", ".a[0]").input_parameter("a", {"b": 1}), status="FAILED")
    equal(statuses(run), {"x": "FAILED"})


@case
def a_jq_task_without_a_query_is_refused():
    refused(400, define, task("JSON_JQ_TRANSFORM", "x", {"a": 1}))
