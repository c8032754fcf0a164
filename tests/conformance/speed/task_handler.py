"""How many workflows a second conductor-python's own TaskHandler gets through a server.

    CONDUCTOR_SERVER_URL=http://127.0.0.1:8080/api target/sdk/python-conductor-2.0.0/bin/python \\
        tests/conformance/speed/task_handler.py [RUNS] [STEPS]

One worker of 20 threads does every step of RUNS (200) runs of STEPS (5) steps, all of them started at once. What is printed
begins with the first start and ends when the last run has ended; the processor time is that of the client.
"""

import json
import logging
import os
import sys
import time
import urllib.request
import uuid

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.worker.worker_task import worker_task

API = os.environ["CONDUCTOR_SERVER_URL"]
RUNS, STEPS = (int(argument) for argument in (*sys.argv[1:], *("200", "5")[len(sys.argv) - 1:]))
NAME = f"speed_{uuid.uuid4().hex[:8]}"
STATUS_PAUSE = 0.02


@worker_task(task_definition_name=NAME, thread_count=20, poll_interval_millis=1)
def step(n: int) -> dict:
    return {"n": n}


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def define():
    owner = {"ownerEmail": "ada@example.org"}
    call("POST", "/metadata/taskdefs", [{"name": NAME, "timeoutSeconds": 0, **owner}])
    steps = [
        {"name": NAME, "taskReferenceName": f"s{at}", "type": "SIMPLE", "inputParameters": {"n": "${workflow.input.n}"}}
        for at in range(STEPS)
    ]
    call("POST", "/metadata/workflow", {"name": NAME, "version": 1, "tasks": steps, "timeoutSeconds": 0, **owner})


def wait_for(run):
    while json.loads(call("GET", f"/workflow/{run}?includeTasks=false"))["status"] == "RUNNING":
        time.sleep(STATUS_PAUSE)


def main():
    logging.disable(logging.WARNING)
    define()
    with TaskHandler(configuration=Configuration(server_api_url=API), scan_for_annotated_workers=True) as handler:
        handler.start_processes()
        wait_for(call("POST", "/workflow", {"name": NAME, "input": {"n": 0}}))
        begun = time.monotonic()
        runs = [call("POST", "/workflow", {"name": NAME, "input": {"n": n}}) for n in range(RUNS)]
        for run in runs:
            wait_for(run)
        took = time.monotonic() - begun
    times = os.times()
    client = times.user + times.system + times.children_user + times.children_system
    print(f"{RUNS} runs of {STEPS} steps in {took:.2f} s: {RUNS / took:.1f} a second; client {client:.1f} s of processor time")


if __name__ == "__main__":
    main()
