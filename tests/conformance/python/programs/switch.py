"""SWITCH chooses by the value of an input or by a script, and falls back to its default case."""

from conductor.client.workflow.task.set_variable_task import SetVariableTask
from conductor.client.workflow.task.switch_task import SwitchTask

from lib import case, equal, executed, output, statuses, task


def route(script=None):
    switch = SwitchTask("route", script or "${workflow.input.kind}", use_javascript=script is not None)
    switch.input_parameter("kind", "${workflow.input.kind}")
    switch.switch_case("mail", [SetVariableTask("write"), SetVariableTask("post")])
    return switch.switch_case("fax", SetVariableTask("dial")).default_case(SetVariableTask("ask"))


@case
def a_value_selects_its_case():
    run = executed(route(), SetVariableTask("after"), input={"kind": "mail"})
    equal(list(statuses(run)), ["route", "write", "post", "after"])
    equal(output(run, "route"), {"evaluationResult": ["mail"], "selectedCase": "mail"})


@case
def an_unknown_value_selects_the_default():
    run = executed(route(), SetVariableTask("after"), input={"kind": "pigeon"})
    equal(list(statuses(run)), ["route", "ask", "after"])


@case
def a_missing_value_is_the_text_null():
    run = executed(route())
    equal(output(run, "route"), {"evaluationResult": ["null"], "selectedCase": "null"})


@case
def a_script_selects_its_case():
    run = executed(route("$.kind.length > 3 ? 'mail' : 'fax'"), input={"kind": "fax"})
    equal(list(statuses(run)), ["route", "dial"])


@case
def an_empty_case_is_no_default():
    switch = task("SWITCH", "route", {"kind": "none"}, evaluatorType="value-param", expression="kind")
    switch |= {"decisionCases": {"none": [], "some": [task("NOOP", "some")]}, "defaultCase": [task("NOOP", "ask")]}
    run = executed(switch, task("NOOP", "after"))
    equal(list(statuses(run)), ["route", "after"])


@case
def a_script_that_throws_fails_the_run():
    run = executed(route("$.kind.no.such"), input={"kind": "x"}, status="FAILED")
    equal(statuses(run), {"route": "FAILED"})


@case
def switches_nest():
    inner = SwitchTask("inner", "${workflow.input.size}").switch_case("big", SetVariableTask("carry"))
    outer = SwitchTask("outer", "${workflow.input.kind}").switch_case("parcel", [inner, SetVariableTask("label")])
    run = executed(outer, SetVariableTask("after"), input={"kind": "parcel", "size": "small"})
    equal(list(statuses(run)), ["outer", "inner", "label", "after"])
