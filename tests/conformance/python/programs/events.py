"""Handlers of events: added, found, changed, removed."""

from conductor.client.http.api.event_resource_api import EventResourceApi
from conductor.client.http.api_client import ApiClient
from conductor.client.http.models import Action, EventHandler, StartWorkflowRequest

from lib import case, configuration, define, equal, refused, task, unique


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
