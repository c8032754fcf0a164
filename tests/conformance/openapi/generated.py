"""Sends what the OpenAPI document of a server allows and what it does not; no answer may be a 5xx.

The first round makes up names and ids, too; the second has those of a definition, a run and a task that are there, so that
requests get further than "not found". CONDUCTOR_SERVER_URL is the server, SCHEMATHESIS its program; seconds for each
round may be given.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

API = os.environ["CONDUCTOR_SERVER_URL"]
SERVER = API.removesuffix("/api")
SECONDS = sys.argv[1] if len(sys.argv) > 1 else "20"

# What is refused with 501 by design, and a stream that does not end.
LEFT_OUT = "external-?storage-?location$|/events$"
# What would take away that of which the second round knows.
TAKES_AWAY = "|/remove$|/terminate-remove$|/bulk/|/taskdefs/{tasktype}$|/{name}/{version}$"

DEFINITION = {
    "name": "generated",
    "version": 1,
    "ownerEmail": "ada@example.org",
    "timeoutSeconds": 0,
    "tasks": [
        {"name": "step", "taskReferenceName": "step", "type": "SIMPLE"},
        {"name": "wait", "taskReferenceName": "wait", "type": "WAIT"},
    ],
}


def call(method, path, body):
    request = urllib.request.Request(API + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def known_names():
    """Registers and starts what the second round asks for."""
    call("POST", "/metadata/taskdefs", [{"name": "step", "ownerEmail": "ada@example.org"}])
    call("PUT", "/metadata/workflow", [DEFINITION])
    run = call("POST", "/workflow", {"name": "generated", "version": 1})
    task = json.loads(call("GET", f"/workflow/{run}", None))["tasks"][0]["taskId"]
    return {
        "workflowId": run, "run": run, "taskId": task, "name": "generated", "tasktype": "step", "taskType": "step",
        "taskName": "step", "taskRefName": "step", "taskReferenceName": "step", "version": "1", "status": "COMPLETED",
    }


def requests(title, config, left_out):
    with tempfile.TemporaryDirectory() as place:
        file = pathlib.Path(place, "schemathesis.toml")
        file.write_text(config)
        command = [
            os.environ["SCHEMATHESIS"], "--config-file", file, "run", f"{SERVER}/api-docs", "--checks", "not_a_server_error",
            "--phases", "coverage,fuzzing", "--max-examples", "10", "--max-time", SECONDS,
            # A change of a run's state waits ten seconds for its end.
            "--request-timeout", "30", "--seed", "1", "--no-color",
            "--generation-database", "none", "--exclude-path-regex", left_out,
        ]
        done = subprocess.run(command, cwd=place, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    counted = [line.strip() for line in done.stdout.splitlines() if " generated, " in line or "  Tested:" in line]
    print("ok" if done.returncode == 0 else "FAILED", title, "; ".join(counted))
    if done.returncode != 0:
        print(done.stdout)
    return done.returncode == 0


def main():
    made_up = requests("requests with made-up names", "", LEFT_OUT)
    names = "".join(f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in known_names().items())
    known = requests("requests about a run that is there", f"[parameters]\n{names}", LEFT_OUT + TAKES_AWAY)
    sys.exit(0 if made_up and known else 1)


main()
