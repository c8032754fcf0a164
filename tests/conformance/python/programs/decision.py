"""DECISION, the older SWITCH."""

from lib import case, equal, executed, output, statuses, task

CASES = {"yes": [task("NOOP", "agree")], "none": []}


@case
def a_value_selects_its_case():
    route = task("DECISION", "route", {"answer": "${workflow.input.answer}"}, caseValueParam="answer")
    run = executed(route | {"decisionCases": CASES}, task("NOOP", "after"), input={"answer": "yes"})
    equal(list(statuses(run)), ["route", "agree", "after"])
    equal(output(run, "route"), {"caseOutput": ["yes"]})


@case
def a_script_selects_its_case():
    route = task("DECISION", "route", {"n": 3}, caseExpression="if ($.n > 2) { 'yes' } else { 'no' }")
    run = executed(route | {"decisionCases": CASES})
    equal(list(statuses(run)), ["route", "agree"])


@case
def an_empty_case_falls_to_the_default():
    route = task("DECISION", "route", {"answer": "none"}, caseValueParam="answer", decisionCases=CASES)
    run = executed(route | {"defaultCase": [task("NOOP", "ask")]}, task("NOOP", "after"))
    equal(list(statuses(run)), ["route", "ask", "after"])
