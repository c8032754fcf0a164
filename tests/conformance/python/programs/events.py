"""Handlers of events: added, found, changed, removed; and what they do about events that tasks publish.

Conductor looks for new handlers once a minute: against it these need their time.
"""

from conductor.client.http.api.event_resource_api import EventResourceApi
from conductor.client.http.api_client import ApiClient
from conductor.client.http.models import Action, EventHandler, StartWorkflowRequest
from conductor.client.http.models.task_details import TaskDetails
from conductor.client.http.models.terminate_workflow import TerminateWorkflow
from conductor.client.http.models.update_workflow_variables import UpdateWorkflowVariables

from lib import beyond, case, configuration, define, ended, equal, eventually, executed, output, reached, refused
from lib import run_of, start, task, task_of, unique, workflows


def resource():
    return EventResourceApi(ApiClient(configuration()))


def handler_of(event, **fields):
    action = Action(action="start_workflow", start_workflow=StartWorkflowRequest(name=define(task("NOOP", "x")), input={"n": "${n}"}))
    return EventHandler(name=unique("handler"), event=event, actions=[action], **{"active": False, **fields})


@case
def a_handler_comes_back_as_it_was_given():
    event = f"conductor:{unique('queue')}"
    handler = handler_of(event, condition="$.n > 1")
    resource().add_event_handler(handler)
    [found] = resource().get_event_handlers_for_event(event, active_only=False)
    equal((found.name, found.event, found.condition, found.active), (handler.name, event, "$.n > 1", False))
    equal((found.actions[0].action, found.actions[0].start_workflow.input), ("start_workflow", {"n": "${n}"}))


@case
def only_active_handlers_are_told():
    event = f"conductor:{unique('queue')}"
    resource().add_event_handler(handler_of(event))
    awake = handler_of(event, active=True)
    resource().add_event_handler(awake)
    equal([one.name for one in resource().get_event_handlers_for_event(event)], [awake.name])
    equal(len(resource().get_event_handlers_for_event(event, active_only=False)), 2)
    resource().remove_event_handler_status(awake.name)


@case
def a_handler_is_changed_and_removed():
    event = f"conductor:{unique('queue')}"
    handler = handler_of(event)
    resource().add_event_handler(handler)
    handler.condition = "true"
    resource().update_event_handler(handler)
    [found] = [one for one in resource().get_event_handlers() if one.name == handler.name]
    equal(found.condition, "true")
    resource().remove_event_handler_status(handler.name)
    equal(resource().get_event_handlers_for_event(event, active_only=False), [])
    refused((404, 500), resource().remove_event_handler_status, handler.name)


# What handlers do


def publisher(**input):
    """A workflow that publishes what it is given; gives its name and that of the event."""
    flow = define(task("EVENT", "e", {key: f"${{workflow.input.{key}}}" for key in input}, sink="conductor:told"))
    return flow, f"conductor:{flow}:told"


def handled(event, *actions, **fields):
    resource().add_event_handler(EventHandler(name=unique("handler"), event=event, actions=list(actions), active=True, **fields))


def starting(flow, input):
    correlation = unique("event")
    request = StartWorkflowRequest(name=flow, correlation_id=correlation, input=input)
    return correlation, Action(action="start_workflow", start_workflow=request)


def the_run_of(flow, correlation):
    found = lambda: workflows().get_by_correlation_ids(flow, [correlation], include_completed=True).get(correlation)
    return eventually(found, f"the run of {flow}")[0]


@case
def an_event_task_tells_what_it_has_published():
    flow = define(task("EVENT", "e", {"n": "${workflow.input.n}"}, sink="conductor"), output_parameters={"k": "${e.output.n}"})
    run = ended(start(flow, {"n": 7}))
    said = output(run, "e")
    equal((said["n"], said["sink"], said["event_produced"]), (7, "conductor", f"conductor:{flow}:e"))
    equal((said["workflowInstanceId"], said["workflowType"], said["workflowVersion"]), (run.workflow_id, flow, 1))
    equal(run.output, {"k": 7})


@case
def an_event_for_a_queue_that_is_none_fails():
    run = executed(task("EVENT", "e", {}, sink="pigeon:loft"), status="FAILED")
    assert "pigeon" in run.reason_for_incompletion, run.reason_for_incompletion


@case
def an_event_starts_a_workflow():
    flow, event = publisher(n=1)
    target = define(task("NOOP", "x"))
    correlation, action = starting(target, {"got": "${n}", "from": "${workflowInstanceId}"})
    handled(event, action)
    source = start(flow, {"n": 5})
    run = ended(the_run_of(target, correlation).workflow_id)
    equal((run.input["got"], run.input["from"]), (5, source))


@case
def only_events_for_which_the_condition_holds_are_handled():
    flow, event = publisher(n=1)
    target = define(task("NOOP", "x"))
    none, never = starting(target, {})
    one, once = starting(target, {})
    handled(event, never, condition="$.n > 5")
    handled(event, once, condition="$.n == 5 && $.workflowType != null")
    ended(start(flow, {"n": 5}))
    the_run_of(target, one)
    equal(workflows().get_by_correlation_ids(target, [none], include_completed=True).get(none, []), [])


@case
def an_event_completes_a_task():
    flow, event = publisher(run=1, k=1)
    details = TaskDetails(workflow_id="${run}", task_ref_name="w", output={"k": "${k}"})
    handled(event, Action(action="complete_task", complete_task=details))
    waiting = start(define(task("WAIT", "w"), output_parameters={"k": "${w.output.k}"}))
    reached(waiting, "w", "IN_PROGRESS")
    start(flow, {"run": waiting, "k": [1, 2]})
    equal(ended(waiting).output, {"k": [1, 2]})


@case
def an_event_fails_a_task():
    flow, event = publisher(run=1)
    handled(event, Action(action="fail_task", fail_task=TaskDetails(workflow_id="${run}", task_ref_name="w")))
    waiting = start(define(task("WAIT", "w")))
    reached(waiting, "w", "IN_PROGRESS")
    start(flow, {"run": waiting})
    equal(task_of(ended(waiting, "FAILED"), "w").status, "FAILED")


@case
@beyond
def an_event_terminates_a_workflow():
    flow, event = publisher(run=1)
    order = TerminateWorkflow(workflow_id="${run}", termination_reason="the event says so")
    handled(event, Action(action="terminate_workflow", terminate_workflow=order))
    waiting = start(define(task("WAIT", "w")))
    start(flow, {"run": waiting})
    equal(ended(waiting, "TERMINATED").reason_for_incompletion, "the event says so")


@case
@beyond
def an_event_sets_variables():
    flow, event = publisher(run=1, v=1)
    order = UpdateWorkflowVariables(workflow_id="${run}", variables={"v": "${v}"})
    handled(event, Action(action="update_workflow_variables", update_workflow_variables=order))
    waiting = start(define(task("WAIT", "w")))
    start(flow, {"run": waiting, "v": 3})
    eventually(lambda: run_of(waiting).variables == {"v": 3}, "the variable")
