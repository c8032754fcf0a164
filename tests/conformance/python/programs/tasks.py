"""What workers and others do with tasks: polls, results, the next task with the answer, references, logs, queues."""

from conductor.client.http.api.task_resource_api import TaskResourceApi
from conductor.client.http.api_client import ApiClient
from conductor.client.http.models import TaskExecLog

from lib import case, configuration, define, ended, equal, eventually, executor, idle, poll, polled, refused, result
from lib import run_of, simple, start, statuses, task_def, task_of, tasks, unique, work


def resource():
    return TaskResourceApi(ApiClient(configuration()))


def one_step(**settings):
    name = task_def(**settings)
    return name, define(simple(name, "a"))


@case
def an_empty_poll_gives_nothing():
    name, _ = one_step()
    assert poll(name) is None
    equal(tasks().batch_poll_tasks(name, "by-hand", 5, 100), [])


@case
def a_batch_poll_takes_several():
    name, flow = one_step()
    runs = {start(flow) for _ in range(3)}
    taken = eventually(lambda: tasks().batch_poll_tasks(name, "by-hand", 3, 100), "tasks")
    equal({task.workflow_instance_id for task in taken}, runs)
    for task in taken:
        equal(tasks().update_task(result(task)), task.task_id)
    for run in runs:
        ended(run)


@case
def the_answer_to_a_result_may_bring_the_next_task():
    name, flow = one_step()
    runs = [start(flow), start(flow)]
    first = polled(name)
    second = resource().update_task_v2(result(first))
    equal((second.task_def_name, second.status), (name, "IN_PROGRESS"))
    equal({first.workflow_instance_id, second.workflow_instance_id}, set(runs))
    nothing = resource().update_task_v2(result(second))
    assert nothing is None or nothing.task_id is None, nothing
    ended(runs[0]), ended(runs[1])


@case
def a_task_in_progress_comes_back_later():
    name, flow = one_step()
    run = start(flow)
    first = polled(name)
    tasks().update_task(result(first, "IN_PROGRESS", {"half": 1}, callback_after_seconds=1))
    held = task_of(run_of(run), "a")
    equal((held.status, held.output_data, held.callback_after_seconds), ("SCHEDULED", {"half": 1}, 1))
    idle(name, 0.4)
    again = polled(name)
    equal((again.task_id, again.poll_count), (first.task_id, 2))
    tasks().update_task(result(again, output={"whole": 2}))
    equal(ended(run).output, {"whole": 2})


@case
def a_task_that_no_worker_may_retry():
    name, flow = one_step(retry_count=5)
    run = start(flow)
    work(name, "FAILED_WITH_TERMINAL_ERROR", reason_for_incompletion="never")
    equal(statuses(ended(run, "FAILED")), {"a": "FAILED_WITH_TERMINAL_ERROR"})


@case
def a_task_is_seen_by_its_id():
    name, flow = one_step()
    run = start(flow, correlation_id="c")
    taken = polled(name)
    seen = tasks().get_task(taken.task_id)
    equal((seen.workflow_instance_id, seen.status, seen.correlation_id), (run, "IN_PROGRESS", "c"))
    refused(404, tasks().get_task, unique("nowhere"))


@case
def a_result_for_an_unknown_task_is_refused():
    name, flow = one_step()
    start(flow)
    taken = polled(name)
    taken.task_id = "00000000-0000-0000-0000-000000000000"
    refused(404, tasks().update_task, result(taken))


@case
def a_second_result_changes_nothing():
    name, flow = one_step()
    run = start(flow)
    taken = polled(name)
    tasks().update_task(result(taken, output={"n": 1}))
    tasks().update_task(result(taken, "FAILED", {"n": 2}))
    equal(ended(run).output, {"n": 1})


@case
def a_task_is_updated_by_its_reference():
    name, flow = one_step()
    run = start(flow)
    executor().update_task_by_ref_name({"n": 1}, run, "a", "COMPLETED")
    equal(ended(run).output, {"n": 1})
    again = start(flow)
    tasks().update_task_by_ref_name(again, "a", "FAILED", "why")
    equal(task_of(ended(again, "FAILED"), "a").output_data, {"result": "why"})


@case
def an_update_by_reference_may_answer_with_the_run():
    name, flow = one_step()
    run = start(flow)
    done = tasks().update_task_sync(run, "a", "COMPLETED", {"n": 1})
    equal((done.workflow_id, done.status), (run, "COMPLETED"))
    refused(404, tasks().update_task_sync, run, "a", "COMPLETED", {})
    refused(404, tasks().update_task_sync, start(flow), "nowhere", "COMPLETED", {})


@case
def tasks_have_logs():
    name, flow = one_step()
    start(flow)
    taken = polled(name)
    tasks().add_task_log(taken.task_id, "by hand")
    logs = [TaskExecLog(log="with the result", task_id=taken.task_id)]
    tasks().update_task(result(taken, logs=logs))
    seen = eventually(lambda: len(found := tasks().get_task_logs(taken.task_id) or []) == 2 and found, "two lines")
    equal({line.log.strip('"') for line in seen}, {"by hand", "with the result"})
    equal({line.task_id for line in seen}, {taken.task_id})


@case
def queues_tell_their_sizes():
    name, flow = one_step()
    start(flow), start(flow)
    equal(tasks().get_queue_size_for_task(name), 2)
    polled(name)
    equal(tasks().get_queue_size_for_task(name), 1)
    equal(resource().all()[name], 1)
    seen = eventually(lambda: tasks().get_task_poll_data(name), "who polled")
    equal([(one.queue_name, one.worker_id) for one in seen], [(name, "by-hand")])
