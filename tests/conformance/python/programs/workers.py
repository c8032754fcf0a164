"""The client's own workers: a TaskHandler with a process for each, functions and coroutines, in every way they may end."""

import asyncio
import os
import time

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.context.task_context import TaskInProgress, get_task_context
from conductor.client.http.models import TaskDef, TaskResult
from conductor.client.http.models.task_result_status import TaskResultStatus
from conductor.client.worker.exception import NonRetryableException
from conductor.client.worker.worker_task import worker_task

from lib import case, configuration, define, ended, equal, eventually, metadata, run_of, simple, start
from lib import statuses, table, task, task_of, tasks, unique

ADD, LATER, FAILS, NEVER, PARTS, SLOW, TOLD, REGISTERED, SLEEPS = (
    unique(f"worker_{name}") for name in ("add", "later", "fails", "never", "parts", "slow", "told", "registered", "sleeps")
)


@worker_task(task_definition_name=ADD, poll_interval_millis=20, thread_count=4)
def add(a: int, b: int = 1) -> int:
    return a + b


@worker_task(task_definition_name=LATER, poll_interval_millis=20, thread_count=10)
async def later(n: int) -> dict:
    await asyncio.sleep(0.2)
    return {"n": n, "process": os.getpid()}


@worker_task(task_definition_name=FAILS, poll_interval_millis=20)
def fails(until: int) -> dict:
    attempt = get_task_context().get_retry_count()
    get_task_context().add_log(f"attempt {attempt}")
    if attempt < until:
        raise ValueError(f"not at attempt {attempt}")
    return {"attempt": attempt}


@worker_task(task_definition_name=NEVER, poll_interval_millis=20)
def never() -> dict:
    raise NonRetryableException("there is no use in it")


@worker_task(task_definition_name=PARTS, poll_interval_millis=20)
def parts() -> dict:
    polls = get_task_context().get_poll_count()
    return {"polls": polls} if polls > 1 else TaskInProgress(callback_after_seconds=1, output={"half": True})


@worker_task(task_definition_name=SLOW, poll_interval_millis=20, lease_extend_enabled=True)
def slow() -> dict:
    time.sleep(3)
    return {"slow": True}


@worker_task(task_definition_name=TOLD, poll_interval_millis=20)
def told(status: str) -> TaskResult:
    return TaskResult(status=TaskResultStatus[status], output_data={"said": status}, reason_for_incompletion="as told")


@worker_task(
    task_definition_name=REGISTERED,
    poll_interval_millis=20,
    register_task_def=True,
    task_def=TaskDef(name="replaced", retry_count=7, retry_logic="LINEAR_BACKOFF"),
)
def registered(n: int) -> dict:
    return {"n": n}


@worker_task(task_definition_name=SLEEPS, poll_interval_millis=20, lease_extend_enabled=False)
def sleeps() -> dict:
    time.sleep(2.5)
    return {"attempt": get_task_context().get_retry_count()}


def register(name, **fields):
    settings = {"retry_count": 0, "retry_delay_seconds": 0, "response_timeout_seconds": 60, "timeout_seconds": 0}
    metadata().register_task_def(TaskDef(name=name, **{**settings, **fields}))


register(FAILS, retry_count=2)
register(NEVER, retry_count=2)
register(SLOW, response_timeout_seconds=2)
register(SLEEPS, response_timeout_seconds=1, retry_count=3)
for name in (ADD, LATER, PARTS, TOLD):
    register(name)

HANDLER = TaskHandler(configuration=configuration(), scan_for_annotated_workers=True)
HANDLER.start_processes()


def done_by_workers(*definition, input=None, status="COMPLETED"):
    return ended(start(define(*definition), input), status)


@case
def a_function_gets_its_arguments_and_gives_a_value():
    run = done_by_workers(simple(ADD, "a", a=1, b=2), simple(ADD, "b", a="${a.output.result}"))
    equal(run.output, {"result": 4})
    assert task_of(run, "a").worker_id, "nobody did it"


@case
def many_short_tasks_one_after_the_other():
    steps = [simple(ADD, f"t{n}", a=f"${{t{n - 1}.output.result}}" if n else 0) for n in range(20)]
    equal(done_by_workers(*steps).output, {"result": 20})


@case
def coroutines_run_side_by_side():
    branches = [[simple(LATER, f"b{n}", n=n)] for n in range(10)]
    fork = task("FORK_JOIN", "fork", forkTasks=branches)
    run = done_by_workers(fork, task("JOIN", "join", joinOn=[f"b{n}" for n in range(10)]))
    equal([task_of(run, "join").output_data[f"b{n}"]["n"] for n in range(10)], list(range(10)))
    equal(len({one["process"] for one in task_of(run, "join").output_data.values()}), 1)


@case
def an_exception_is_a_failure_that_is_tried_again():
    run = done_by_workers(simple(FAILS, "a", until=2))
    equal(table(run), "a FAILED\na FAILED\na COMPLETED")
    equal(run.output, {"attempt": 2})
    assert "not at attempt 0" in run.tasks[0].reason_for_incompletion, run.tasks[0].reason_for_incompletion


@case
def the_logs_of_a_worker_come_with_its_result():
    run = done_by_workers(simple(FAILS, "a", until=0))
    equal([line.log for line in tasks().get_task_logs(task_of(run, "a").task_id)], ["attempt 0"])


@case
def a_last_exception_fails_the_run():
    run = done_by_workers(simple(FAILS, "a", until=9), status="FAILED")
    equal(table(run), "a FAILED\na FAILED\na FAILED")
    assert "not at attempt 2" in run.reason_for_incompletion, run.reason_for_incompletion


@case
def what_is_not_to_be_retried_is_not():
    run = done_by_workers(simple(NEVER, "a"), status="FAILED")
    equal(table(run), "a FAILED_WITH_TERMINAL_ERROR")


@case
def a_task_in_progress_is_called_back():
    run = done_by_workers(simple(PARTS, "a"))
    equal((run.output, table(run)), ({"polls": 2}, "a COMPLETED"))


@case
def a_lease_is_extended_while_the_worker_lives():
    run = done_by_workers(simple(SLOW, "a"))
    equal((run.output, table(run)), ({"slow": True}, "a COMPLETED"))


@case
def without_an_extension_the_task_times_out_and_is_tried_again():
    run = start(define(simple(SLEEPS, "a")))
    tried = eventually(lambda: len((seen := run_of(run)).tasks) > 1 and seen, "a second attempt")
    equal(tried.tasks[0].status, "TIMED_OUT")


@case
def a_worker_may_make_its_own_result():
    equal(done_by_workers(simple(TOLD, "a", status="COMPLETED")).output, {"said": "COMPLETED"})
    run = done_by_workers(simple(TOLD, "a", status="FAILED"), status="FAILED")
    equal((statuses(run), task_of(run, "a").reason_for_incompletion), ({"a": "FAILED"}, "as told"))


@case
def a_worker_registers_its_definition():
    found = metadata().get_task_def(REGISTERED)
    equal((found.retry_count, found.retry_logic), (7, "LINEAR_BACKOFF"))
    equal(done_by_workers(simple(REGISTERED, "a", n=3)).output, {"n": 3})


@case
def the_workers_stop():
    HANDLER.stop_processes()
