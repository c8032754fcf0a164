"""What the programs share: the clients, definitions with names of their own, workers by hand, and ways to wait.

A program is a file in `programs/`; each function in it that is marked with `@case` arranges, acts and asserts. Every
definition that it makes gets a name that no other has, so that all programs may use one server at the same time.
"""

import os
import time
import uuid

import requests
from conductor.client.configuration.configuration import Configuration
from conductor.client.http.models import StartWorkflowRequest, TaskDef, TaskResult, WorkflowDef
from conductor.client.http.rest import ApiException
from conductor.client.orkes_clients import OrkesClients
from conductor.client.workflow.task.task import TaskInterface

PATIENCE = float(os.environ.get("CONFORMANCE_PATIENCE", "30"))
"""Seconds. What takes longer on any machine is stuck. Conductor itself needs up to 100 to notice that a time is over."""

CASES = []


def case(function):
    """Marks a function as one to be run; its name is the sentence that is printed."""
    CASES.append(function)
    return function


def fixme(what):
    """Marks a case that Conductor passes and Partitur does not yet: it must fail, so that nobody forgets it here."""

    def mark(function):
        function.fixme = what
        return function

    return mark


def beyond(function):
    """Marks a case of what this client knows and Conductor does not have: it does not run against the real server."""
    function.beyond = True
    return function


def configuration():
    return Configuration(server_api_url=os.environ["CONDUCTOR_SERVER_URL"])


class _Clients:
    """Connected at the first use: the runner forks, and connections are not to be shared."""

    def __init__(self):
        self._clients = None

    def __getattr__(self, name):
        if self._clients is None:
            self._clients = OrkesClients(configuration())
        client = getattr(self._clients, f"get_{name}")()
        setattr(self, name, client)
        return client


_clients = _Clients()


def workflows():
    return _clients.workflow_client


def tasks():
    return _clients.task_client


def metadata():
    return _clients.metadata_client


def schemas():
    return _clients.schema_client


def schedules():
    return _clients.scheduler_client


def executor():
    return _clients.workflow_executor


def wire(path):
    """What the server says there, where the client cannot read it or would ask for something else."""
    return requests.get(f"{os.environ['CONDUCTOR_SERVER_URL']}{path}", timeout=PATIENCE).json()


CONFLICT = (409, 500)
"""Where Conductor says 500 for what is no fault of the server's, Partitur says 409."""


# Definitions


def unique(name):
    return f"{name}_{uuid.uuid4().hex[:8]}"


def task_def(name="task", **fields):
    """Registers a task definition, without retries unless told; gives its name."""
    settings = {"retry_count": 0, "retry_delay_seconds": 0, "timeout_seconds": 0, "response_timeout_seconds": 600}
    name = unique(name)
    metadata().register_task_def(TaskDef(name=name, **{**settings, **fields}))
    return name


def define(*tasks, name="flow", **fields):
    """Registers a workflow of builders of the client, or of maps as they are on the wire; gives its name."""
    definition = workflow_def(*tasks, name=name, **fields)
    metadata().register_workflow_def(definition, overwrite=True)
    return definition.name


def workflow_def(*tasks, name="flow", **fields):
    """The same without registering it."""
    settings = {"version": 1, "timeout_seconds": 0, "timeout_policy": "ALERT_ONLY", "schema_version": 2}
    settings |= {"owner_email": "test@example.com"}
    return WorkflowDef(name=unique(name), tasks=on_the_wire(tasks), **{**settings, **fields})


def on_the_wire(tasks):
    converted = []
    for task in tasks:
        made = task.to_workflow_task() if isinstance(task, TaskInterface) else task
        converted += made if isinstance(made, list) else [made]
    return converted


def simple(task_name, ref, **input):
    """A task for a worker."""
    return {"name": task_name, "taskReferenceName": ref, "type": "SIMPLE", "inputParameters": input}


def task(type, ref, input=None, **fields):
    """A task of another type, with the fields as they are on the wire."""
    return {"name": ref, "taskReferenceName": ref, "type": type, "inputParameters": input or {}, **fields}


# Runs


def start(name, input=None, **request):
    return workflows().start_workflow(StartWorkflowRequest(name=name, input=input or {}, **request))


def run_of(workflow_id):
    return workflows().get_workflow(workflow_id, include_tasks=True)


def ended(workflow_id, status="COMPLETED"):
    """The run when it has ended, and with which status it must have."""
    run = eventually(
        lambda: (found := run_of(workflow_id)).status in ("COMPLETED", "FAILED", "TERMINATED", "TIMED_OUT") and found,
        f"the end of {workflow_id}",
    )
    assert run.status == status, f"{run.status}: {run.reason_for_incompletion}\n{table(run)}"
    return run


def executed(*definition, input=None, status="COMPLETED", **fields):
    """Defines, starts and awaits the end."""
    return ended(start(define(*definition, **fields), input), status)


def task_of(run, ref):
    """The latest task of that reference name."""
    found = [task for task in run.tasks if task.reference_task_name == ref]
    assert found, f"{ref} is not among\n{table(run)}"
    return found[-1]


def output(run, ref):
    return task_of(run, ref).output_data


def table(run):
    """A line for each task: reference name and status."""
    return "\n".join(f"{task.reference_task_name} {task.status}" for task in run.tasks)


def statuses(run):
    """Of the latest task of each reference name."""
    return {task.reference_task_name: task.status for task in run.tasks}


def reached(workflow_id, ref, status):
    """The run when that task has that status."""
    return eventually(
        lambda: (run := run_of(workflow_id)) and statuses(run).get(ref) == status and run, f"{ref} {status}"
    )


def child_of(workflow_id, ref="sub"):
    """The id of the sub-workflow, as soon as there is one."""
    return eventually(lambda: task_of(run_of(workflow_id), ref).sub_workflow_id, "the child")


# Workers by hand


def polled(task_name, **options):
    """The next task of that name, as soon as there is one."""
    return eventually(lambda: poll(task_name, **options), f"a task for {task_name}")


def poll(task_name, **options):
    """Asks once. For the answer 204 the client gives a task in which nothing is."""
    came = tasks().poll_task(task_name, worker_id="by-hand", **options)
    return came if came is not None and came.task_id else None


def idle(task_name, seconds=0.5):
    """Asserts that no task of that name comes."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        came = poll(task_name)
        assert came is None, f"{came.reference_task_name} has come"
        time.sleep(0.05)


def result(polled, status="COMPLETED", output=None, **fields):
    return TaskResult(
        task_id=polled.task_id,
        workflow_instance_id=polled.workflow_instance_id,
        worker_id="by-hand",
        status=status,
        output_data=output or {},
        **fields,
    )


def work(task_name, status="COMPLETED", output=None, **fields):
    """Takes the next task of that name and reports its end; gives the task as it was taken."""
    taken = polled(task_name)
    tasks().update_task(result(taken, status, output, **fields))
    return taken


# Waiting and refusing


def eventually(look, what="it"):
    """What `look` gives, as soon as it gives something."""
    until = time.monotonic() + PATIENCE
    while True:
        if found := look():
            return found
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)


def refused(status, call, *arguments, **options):
    """Calls, which must be refused with that status, or one of those; gives the message."""
    try:
        given = call(*arguments, **options)
    except ApiException as error:
        wanted = status if isinstance(status, tuple) else (status,)
        assert error.status in wanted, f"{error.status} instead of {status}: {error.message}"
        return error.message
    raise AssertionError(f"not refused: {given}")


def equal(found, expected):
    assert found == expected, f"\n   found {found}\nexpected {expected}"
