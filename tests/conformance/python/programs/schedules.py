"""Schedules: kept, found, paused, labelled, and what they start."""

import time

from conductor.client.http.models import StartWorkflowRequest
from conductor.client.http.models.save_schedule_request import SaveScheduleRequest
from conductor.client.orkes.models.metadata_tag import MetadataTag

from lib import beyond, case, define, ended, equal, eventually, refused, schedules, task, unique

NIGHTLY = "0 0 3 * * *"
EVERY_SECOND = "* * * * * *"


def kept(cron=NIGHTLY, **fields):
    """Keeps a schedule of a workflow that ends at once; gives the names of both."""
    flow = define(task("NOOP", "a", {"n": "${workflow.input.n}"}))
    request = StartWorkflowRequest(name=flow, version=1, input={"n": 1}, correlation_id="by-the-clock")
    settings = {"zone_id": "Europe/Berlin", "start_workflow_request": request, **fields}
    name = unique("schedule")
    schedules().save_schedule(SaveScheduleRequest(name=name, cron_expression=cron, **settings))
    return name, flow


def started(name, count=1):
    """What a schedule has started, as soon as it is so much."""
    found = lambda: schedules().search_schedule_executions(query=f"scheduleName IN ({name})", size=100)
    return eventually(lambda: (seen := found()).total_hits >= count and seen.results, f"{count} starts of {name}")


@case
def a_schedule_comes_back_as_it_was_given():
    name, flow = kept(description="each night", run_catchup_schedule_instances=True)
    found = schedules().get_schedule(name)
    equal((found.name, found.cron_expression, found.paused), (name, NIGHTLY, False))
    equal((found.zone_id, found.run_catchup_schedule_instances), ("Europe/Berlin", True))
    request = found.start_workflow_request
    equal((request.name, request.input, request.correlation_id), (flow, {"n": 1}, "by-the-clock"))
    equal([one.name for one in schedules().get_all_schedules(flow)], [name])
    assert name in [one.name for one in schedules().get_all_schedules()], "it is not among all"
    schedules().delete_schedule(name)
    equal(schedules().get_all_schedules(flow), [])
    refused(404, schedules().get_schedule, name)


@case
def a_schedule_is_replaced():
    name, flow = kept()
    request = StartWorkflowRequest(name=flow, version=1)
    schedules().save_schedule(SaveScheduleRequest(name=name, cron_expression="0 30 4 * * *", start_workflow_request=request))
    found = schedules().get_schedule(name)
    equal((found.cron_expression, found.zone_id), ("0 30 4 * * *", "UTC"))
    equal(len(schedules().get_all_schedules(flow)), 1)
    schedules().delete_schedule(name)


@case
def a_schedule_starts_runs_that_know_who_started_them():
    name, flow = kept(EVERY_SECOND)
    first = started(name)[-1]
    schedules().delete_schedule(name)
    equal((first.schedule_name, first.workflow_name, first.state), (name, flow, "EXECUTED"))
    assert first.scheduled_time % 1000 == 0 and first.execution_time >= first.scheduled_time, first
    run = ended(first.workflow_id)
    equal((run.input["n"], run.input["_startedByScheduler"]), (1, name))
    equal((run.input["_scheduledTime"], run.input["_executionId"]), (first.scheduled_time, first.execution_id))
    equal((run.input["_schedulerCron"], run.correlation_id), (f"{EVERY_SECOND} Europe/Berlin", "by-the-clock"))


@case
def what_cannot_be_started_is_told():
    request = StartWorkflowRequest(name=unique("nowhere"), version=1)
    name, _ = kept(EVERY_SECOND, start_workflow_request=request)
    failed = started(name)[-1]
    schedules().delete_schedule(name)
    equal((failed.state, failed.workflow_id), ("FAILED", None))
    assert request.name in failed.reason, failed.reason


@case
def a_paused_schedule_starts_nothing_until_it_is_resumed():
    name, _ = kept(EVERY_SECOND, paused=True)
    time.sleep(2.2)
    equal(schedules().search_schedule_executions(query=f"scheduleName IN ({name})").total_hits, 0)
    schedules().resume_schedule(name)
    started(name)
    schedules().pause_schedule(name, reason="lunch")
    found = schedules().get_schedule(name)
    equal(found.paused, True)
    schedules().delete_schedule(name)


@case
def pause_and_resume_where_they_do_not_fit():
    name, _ = kept()
    refused(404, schedules().resume_schedule, name)
    refused(404, schedules().pause_schedule, unique("nowhere"))
    schedules().delete_schedule(name)


@case
def nothing_starts_outside_its_time():
    far = 4_102_444_800_000
    late, _ = kept(EVERY_SECOND, schedule_start_time=far)
    over, _ = kept(EVERY_SECOND, schedule_end_time=1_000_000_000_000)
    time.sleep(2.2)
    for name in (late, over):
        equal(schedules().search_schedule_executions(query=f"scheduleName IN ({name})").total_hits, 0)
        schedules().delete_schedule(name)


@case
def the_next_times_are_foretold():
    first = 4_102_444_800_000  # a Friday, 0:00
    hour, day = 3_600_000, 86_400_000
    times = schedules().get_next_few_schedule_execution_times(NIGHTLY, schedule_start_time=first, limit=3)
    equal(times, [first + 3 * hour + at * day for at in range(3)])
    until = schedules().get_next_few_schedule_execution_times(
        NIGHTLY, schedule_start_time=first, schedule_end_time=first + 2 * day, limit=5
    )
    equal(until, times[:2])
    mondays = schedules().get_next_few_schedule_execution_times("0 0 0 ? * MON", schedule_start_time=first, limit=2)
    equal(mondays, [first + 3 * day, first + 10 * day])
    refused((400, 500), schedules().get_next_few_schedule_execution_times, "nonsense")


@case
@beyond
def a_schedule_is_labelled():
    name, _ = kept()
    team, cost = MetadataTag("team", "a"), MetadataTag("cost", "b")
    schedules().set_scheduler_tags([team, cost], name)
    pairs = lambda: sorted((tag["key"], tag["value"]) if isinstance(tag, dict) else (tag.key, tag.value) for tag in schedules().get_scheduler_tags(name))
    equal(pairs(), [("cost", "b"), ("team", "a")])
    schedules().delete_scheduler_tags([team], name)
    equal(pairs(), [("cost", "b")])
    schedules().delete_schedule(name)
    refused(404, schedules().get_scheduler_tags, name)


@case
@beyond
def a_schedule_that_means_nothing_is_refused():
    request = StartWorkflowRequest(name="w")
    refused(400, schedules().save_schedule, SaveScheduleRequest(name=unique("s"), cron_expression="nonsense", start_workflow_request=request))


@case
def records_are_put_back():
    schedules().requeue_all_execution_records()
