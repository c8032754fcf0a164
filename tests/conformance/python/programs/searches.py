"""Runs and tasks are found by what is known of them."""

from conductor.client.http.api.task_resource_api import TaskResourceApi
from conductor.client.http.api_client import ApiClient

from lib import beyond, case, configuration, define, ended, equal, eventually, simple, start, task_def, unique, work
from lib import workflows


def found(query, count, **more):
    """What is found, once it is so much: Conductor's index follows after a moment."""
    asked = {"free_text": "*", "query": query, "start": 0, "size": 10, **more}
    seen = lambda: workflows().search(**asked).results
    return eventually(lambda: len(known := seen()) == count and [known], f"{count} of {query}")[0]


def one_of_each():
    """A run that has completed and one that has failed; gives the workflow, the type of its task, and the runs."""
    name = task_def()
    flow = define(simple(name, "a"))
    good = start(flow, correlation_id=unique("c"))
    work(name, output={"m": 1})
    bad = start(flow)
    work(name, status="FAILED", reason_for_incompletion="no luck")
    ended(good), ended(bad, "FAILED")
    return flow, name, good, bad


@case
def runs_are_found_by_status():
    flow, name, good, bad = one_of_each()
    found(f"workflowType={flow}", 2)
    [failed] = found(f"workflowType='{flow}' AND status='FAILED'", 1)
    equal((failed.workflow_id, failed.status, failed.failed_reference_task_names), (bad, "FAILED", "a"))
    assert name in failed.failed_task_names, failed.failed_task_names
    both = found(f"workflowType IN ({flow}) AND status IN (COMPLETED,FAILED)", 2)
    equal({one.workflow_id for one in both}, {good, bad})
    found(f"workflowType={flow} AND status=RUNNING", 0)


@case
def runs_are_found_by_id_and_correlation():
    flow, _, good, bad = one_of_each()
    found(f"workflowType={flow}", 2)
    [one] = found(f"workflowId={good}", 1)
    [same] = found(f"correlationId={one.correlation_id}", 1)
    equal((same.workflow_id, same.workflow_type), (good, flow))
    equal({one.workflow_id for one in found(f"workflowId IN ({good},{bad})", 2)}, {good, bad})


@case
def runs_are_found_by_time():
    flow, *_ = one_of_each()
    found(f"workflowType={flow} AND startTime>1000000000000", 2)
    found(f"workflowType={flow} AND startTime<1000000000000", 0)
    found(f"workflowType={flow} AND startTime>1000000000000 AND startTime<4102444800000", 2)


@case
def pages_follow_one_another():
    flow, *_ = one_of_each()
    found(f"workflowType={flow}", 2)
    pages = [workflows().search(start=at, size=1, free_text="*", query=f"workflowType={flow}") for at in range(3)]
    equal([len(page.results) for page in pages], [1, 1, 0])
    equal(len({page.results[0].workflow_id for page in pages[:2]}), 2)


@case
@beyond
def what_is_meant_by_free_text():
    flow, *_ = one_of_each()
    equal({one.workflow_type for one in found("", 2, free_text=flow)}, {flow})


@case
def tasks_are_found_by_status_and_reason():
    _, name, _, bad = one_of_each()
    tasks = TaskResourceApi(ApiClient(configuration()))
    search = lambda query: tasks.search1(start=0, size=10, query=query)
    seen = eventually(lambda: (seen := search(f"taskType={name}")).total_hits == 2 and seen, "both tasks")
    equal({one.task_type for one in seen.results}, {name})
    [failed] = search(f"taskDefName='{name}' AND status='FAILED'").results
    equal((failed.workflow_id, failed.reason_for_incompletion), (bad, "no luck"))
    equal(search(f"taskType={name} AND status=IN_PROGRESS").total_hits, 0)
