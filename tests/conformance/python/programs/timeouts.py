"""Limits of time, of tasks and of runs, and what is done when they are over."""

import time

from lib import case, define, ended, equal, polled, result, run_of, simple, start, statuses, table, task
from lib import task_def, tasks


@case
def a_worker_that_does_not_answer_is_replaced():
    name = task_def(response_timeout_seconds=1, retry_count=1)
    run = start(define(simple(name, "a")))
    first = polled(name)
    second = polled(name)
    equal((second.retry_count, second.retried_task_id), (1, first.task_id))
    tasks().update_task(result(first, output={"late": True}))
    tasks().update_task(result(second, output={"late": False}))
    done = ended(run)
    equal((table(done), done.output), ("a TIMED_OUT\na COMPLETED", {"late": False}))


@case
def a_last_attempt_that_does_not_answer_times_the_run_out():
    name = task_def(response_timeout_seconds=1)
    run = start(define(simple(name, "a")))
    polled(name)
    equal(statuses(ended(run, "TIMED_OUT")), {"a": "TIMED_OUT"})


@case
def an_extended_lease_keeps_the_task():
    name = task_def(response_timeout_seconds=2)
    run = start(define(simple(name, "a")))
    taken = polled(name)
    for _ in range(4):
        time.sleep(0.8)
        tasks().update_task(result(taken, "IN_PROGRESS", extend_lease=True))
    equal(statuses(run_of(run)), {"a": "IN_PROGRESS"})
    tasks().update_task(result(taken))
    ended(run)


@case
def a_task_that_takes_too_long_times_the_run_out():
    name = task_def(timeout_seconds=1, response_timeout_seconds=1, timeout_policy="TIME_OUT_WF", retry_count=3)
    run = start(define(simple(name, "a"), task("NOOP", "after")))
    polled(name)
    equal(statuses(ended(run, "TIMED_OUT")), {"a": "TIMED_OUT"})


@case
def a_task_that_takes_too_long_is_tried_again():
    name = task_def(timeout_seconds=1, response_timeout_seconds=1, timeout_policy="RETRY", retry_count=1)
    run = start(define(simple(name, "a")))
    polled(name)
    equal(polled(name).retry_count, 1)
    equal(table(ended(run, "TIMED_OUT")), "a TIMED_OUT\na TIMED_OUT")


@case
def a_task_that_nobody_takes_times_out():
    name = task_def(poll_timeout_seconds=1, timeout_policy="TIME_OUT_WF")
    run = start(define(simple(name, "a")))
    equal(statuses(ended(run, "TIMED_OUT")), {"a": "TIMED_OUT"})


@case
def an_alert_changes_nothing():
    name = task_def(poll_timeout_seconds=1, timeout_policy="ALERT_ONLY")
    run = start(define(simple(name, "a")))
    time.sleep(2.5)
    equal(statuses(run_of(run)), {"a": "SCHEDULED"})


@case
def a_run_that_takes_too_long_is_timed_out():
    name = task_def()
    run = start(define(simple(name, "a"), timeout_seconds=1, timeout_policy="TIME_OUT_WF"))
    equal(statuses(ended(run, "TIMED_OUT")), {"a": "CANCELED"})


@case
def a_run_that_takes_too_long_may_only_be_noted():
    name = task_def()
    run = start(define(simple(name, "a"), timeout_seconds=1, timeout_policy="ALERT_ONLY"))
    time.sleep(2)
    equal(run_of(run).status, "RUNNING")
