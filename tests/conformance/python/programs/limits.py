"""Who gets which task, and how many: domains, concurrency, rates."""

from lib import case, define, ended, equal, poll, polled, result, run_of, simple, start, task_def, task_of
from lib import tasks


@case
def a_task_in_a_domain_is_for_its_workers():
    name = task_def()
    run = start(define(simple(name, "a")), task_to_domain={name: "blue"})
    assert poll(name) is None, "given to a worker of no domain"
    taken = polled(name, domain="blue")
    equal(taken.domain, "blue")
    tasks().update_task(result(taken))
    done = ended(run)
    equal((task_of(done, "a").domain, done.task_to_domain), ("blue", {name: "blue"}))


@case
def a_star_stands_for_every_task():
    name = task_def()
    run = start(define(simple(name, "a")), task_to_domain={"*": "green"})
    tasks().update_task(result(polled(name, domain="green")))
    ended(run)


@case
def the_first_domain_with_a_worker_is_taken():
    name = task_def()
    poll(name, domain="second")
    flow = define(simple(name, "a"))
    start(flow, task_to_domain={name: "first,second,third"})
    equal(polled(name, domain="second").domain, "second")
    other = task_def()
    start(define(simple(other, "a")), task_to_domain={other: "first,NO_DOMAIN"})
    equal(polled(other).domain, None)


@case
def no_more_run_at_a_time_than_allowed():
    name = task_def(concurrent_exec_limit=2)
    flow = define(simple(name, "a"))
    for _ in range(4):
        start(flow)
    equal(len(taken(name)), 2)


@case
def no_more_start_in_a_time_than_allowed():
    """Conductor does not do this when its database is SQLite."""
    name = task_def(rate_limit_per_frequency=2, rate_limit_frequency_in_seconds=60)
    flow = define(simple(name, "a"))
    for _ in range(4):
        start(flow)
    equal(len(taken(name)), 2)


def taken(name):
    """What several polls give, with none of it reported."""
    return [task for _ in range(4) for task in tasks().batch_poll_tasks(name, "by-hand", 5, 100)]
