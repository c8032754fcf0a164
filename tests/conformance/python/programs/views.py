"""The resources that the clients are made of: every other way to look at runs, tasks and queues, and to nudge them."""

from conductor.client.http.api.task_resource_api import TaskResourceApi
from conductor.client.http.api.workflow_resource_api import WorkflowResourceApi
from conductor.client.http.api_client import ApiClient
from conductor.client.http.models.correlation_ids_search_request import CorrelationIdsSearchRequest

from lib import beyond, case, configuration, define, ended, equal, eventually, executor, polled, run_of, simple, start
from lib import statuses, task, task_def, tasks, unique, wire, work, workflows


def runs():
    return WorkflowResourceApi(ApiClient(configuration()))


def queues():
    return TaskResourceApi(ApiClient(configuration()))


@case
def tasks_of_a_run_come_in_pages():
    name = task_def()
    run = start(define(simple(name, "a"), *(task("NOOP", f"n{n}") for n in range(4))))
    work(name)
    ended(run)
    first = wire(f"/workflow/{run}/tasks?start=0&count=2")
    equal((first["totalHits"], [one["referenceTaskName"] for one in first["results"]]), (5, ["a", "n0"]))
    last = wire(f"/workflow/{run}/tasks?start=4&count=2")
    equal([one["referenceTaskName"] for one in last["results"]], ["n3"])
    equal(wire(f"/workflow/{run}/tasks?status=FAILED")["results"], [])


@case
def runs_that_are_under_way():
    name = task_def()
    flow = define(simple(name, "a"))
    run = start(flow)
    equal(runs().get_running_workflow(flow), [run])
    work(name)
    ended(run)
    equal(runs().get_running_workflow(flow), [])


@case
def a_run_is_nudged():
    name = task_def()
    run = start(define(simple(name, "a")))
    runs().decide(run)
    equal(statuses(run_of(run)), {"a": "SCHEDULED"})
    work(name)
    ended(run)


@case
def what_waits_for_its_time_comes_at_once():
    name = task_def()
    run = start(define(simple(name, "a")))
    taken = polled(name)
    tasks().update_task_by_ref_name(run, "a", "IN_PROGRESS", {})
    held = {"workflowInstanceId": run, "taskId": taken.task_id, "status": "IN_PROGRESS", "callbackAfterSeconds": 600}
    queues().update_task(held)
    runs().reset_workflow(run)
    work(name)
    ended(run)


@case
def runs_of_several_correlations():
    flow = define(task("NOOP", "x"))
    ids = [unique("c"), unique("c")]
    for one in ids:
        ended(start(flow, correlation_id=one))
    found = runs().get_workflows(ids, flow, include_closed=True)
    equal({one: len(found[one]) for one in ids}, {one: 1 for one in ids})


@case
@beyond
def runs_of_several_workflows_and_correlations():
    flows, correlation = [define(task("NOOP", "x")), define(task("NOOP", "x"))], unique("c")
    started = [ended(start(flow, correlation_id=correlation)).workflow_id for flow in flows]
    request = CorrelationIdsSearchRequest(workflow_names=flows, correlation_ids=[correlation])
    found = workflows().get_by_correlation_ids_in_batch(request, include_completed=True)
    equal(sorted(run.workflow_id for run in found[correlation]), sorted(started))


@case
def queues_are_seen_from_all_sides():
    name = task_def()
    flow = define(simple(name, "a"))
    ids = [start(flow), start(flow)]
    equal(queues().all()[name], 2)
    seen = queues().all_verbose()[name]
    equal(sum(shard["size"] for shard in seen.values()), 2)
    work(name), work(name)
    for run in ids:
        ended(run)
    equal(queues().all().get(name, 0), 0)


@case
def who_polls_is_known():
    name = task_def()
    queues().poll(name, workerid="me")
    [seen] = queues().get_poll_data(name)
    equal((seen.queue_name, seen.worker_id), (name, "me"))
    assert name in [one.queue_name for one in queues().get_all_poll_data()], "it is not among all"


@case
def tasks_are_found_by_type_and_status():
    name = task_def()
    run = start(define(simple(name, "a")))
    taken = work(name, output={"m": 1})
    ended(run)
    query = f"taskType={name} AND status=COMPLETED"
    found = eventually(lambda: (seen := queues().search1(query=query)).results and seen, "the task in the index")
    equal((found.total_hits, found.results[0].task_id), (1, taken.task_id))


@case
def a_task_by_reference_is_answered_with_the_run():
    name = task_def()
    run = start(define(simple(name, "a"), task("NOOP", "b")))
    answer = executor().update_task_by_ref_name_sync({"n": 1}, run, "a", "COMPLETED")
    equal((answer.workflow_id, answer.status), (run, "COMPLETED"))


@case
def a_run_is_removed_with_what_it_says():
    name = task_def()
    run = start(define(simple(name, "a")))
    work(name)
    ended(run)
    executor().remove_workflow(run, archive_workflow=False)
    equal(wire(f"/workflow/{run}")["status"], 404)
