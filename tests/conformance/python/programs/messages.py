"""Messages to runs, and payloads that are kept apart from requests."""

import json

import requests
from conductor.client.http.api.task_resource_api import TaskResourceApi
from conductor.client.http.api_client import ApiClient
from conductor.client.http.models import StartWorkflowRequest
from conductor.client.workflow.task.pull_workflow_messages_task import PullWorkflowMessagesTask

from lib import PATIENCE, beyond, case, configuration, define, ended, equal, output, reached, refused, result
from lib import polled, simple, start, task, task_def, tasks, workflows


@case
def a_message_reaches_the_task_that_waits_for_it():
    pull = PullWorkflowMessagesTask(task_ref_name="m")
    run = start(define(pull, output_parameters={"got": "${m.output.messages[0].payload}"}))
    reached(run, "m", "IN_PROGRESS")
    message = workflows().send_message(run, {"k": [1, "two"]})
    said = output(found := ended(run), "m")
    [told] = said["messages"]
    equal((said["count"], told["id"], told["workflowId"], told["payload"]), (1, message, run, {"k": [1, "two"]}))
    equal(found.output, {"got": {"k": [1, "two"]}})


@case
def messages_wait_for_their_task_in_the_order_in_which_they_came():
    run = start(define(task("WAIT", "w"), PullWorkflowMessagesTask(task_ref_name="m", batch_size=2), PullWorkflowMessagesTask(task_ref_name="rest", batch_size=9)))
    reached(run, "w", "IN_PROGRESS")
    for at in range(3):
        workflows().send_message(run, {"n": at})
    tasks().update_task_by_ref_name(run, "w", "COMPLETED", {})
    numbers = lambda ref: [message["payload"]["n"] for message in output(ended(run), ref)["messages"]]
    equal((numbers("m"), numbers("rest")), ([0, 1], [2]))


@case
def a_run_that_has_ended_takes_no_messages():
    run = start(define(task("NOOP", "x")))
    ended(run)
    refused(409, workflows().send_message, run, {"k": 1})
    refused(404, workflows().send_message, "00000000-0000-4000-8000-000000000000", {"k": 1})


@case
@beyond
def a_large_input_goes_beside_the_request():
    place = apart("WRITE", "WORKFLOW_INPUT")
    wanted = {"text": "ä" * 100_000}
    assert requests.put(place["uri"], data=json.dumps(wanted).encode(), headers={"Content-Type": "application/json"}, timeout=PATIENCE).ok
    name = task_def()
    request = {"external_input_payload_storage_path": place["path"]}
    run = workflows().start_workflow(StartWorkflowRequest(name=define(simple(name, "a", text="${workflow.input.text}")), **request))
    taken = polled(name)
    equal(taken.input_data, wanted)
    tasks().update_task(result(taken))
    ended(run)


@case
@beyond
def a_large_output_goes_beside_the_result():
    name = task_def()
    run = start(define(simple(name, "a"), output_parameters={"got": "${a.output.text}"}))
    taken = polled(name)
    place = apart("WRITE", "TASK_OUTPUT")
    said = {"text": "x" * 100_000}
    assert requests.put(place["uri"], json=said, timeout=PATIENCE).ok
    tasks().update_task(result(taken, external_output_payload_storage_path=place["path"]))
    equal(ended(run).output, {"got": said["text"]})
    read = apart("READ", "TASK_OUTPUT", place["path"])
    equal(requests.get(read["uri"], timeout=PATIENCE).json(), said)


def apart(operation, kind, path="mine"):
    """Where the server keeps such a payload."""
    api = TaskResourceApi(ApiClient(configuration()))
    place = api.get_external_storage_location1(path, operation, kind)
    return {"uri": place.uri, "path": place.path}
