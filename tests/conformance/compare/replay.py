"""Does what a script says, and writes down what the server answered, with ids and times made alike.

The steps, each a map of one key:
  start   a workflow by name, with `input`, `version`, `request` (more fields of the request)
  work    take a task of that name and report `status` (COMPLETED), `output`, `reason`
  take    take a task of that name, and no more
  call    METHOD PATH with `body`: {run} in it is the run, {child} its first child, {task REF} the id of a task in it or
          below it; with `type` the type of the answer is written down, too, and with `until` it is called until that is in
          its answer, or until the answer is a list of that length
  found   go on with the run of that name that something else has started, with `@` as its correlation id
  until   wait until the run has that status, or, if a map, until its tasks have these
  look    write down the run as it is now
Every scenario ends with a look at the run and at all runs below it. `{http}` anywhere is the address of `target.py`,
and `{soon}` an expression for a schedule that is due once, in a few seconds.
"""

import json
import os
import re
import time
import uuid
from datetime import datetime, timedelta, timezone

import requests
from target import Target

PATIENCE = float(os.environ.get("CONFORMANCE_PATIENCE", "40"))
"""Seconds: the real server looks for what is late only now and then."""
OPEN = ("SCHEDULED", "IN_PROGRESS")
ENDED = ("COMPLETED", "FAILED", "TERMINATED", "TIMED_OUT")
TARGET = Target()
SOON = timedelta(seconds=4)


def replay(server, name, script, scenario):
    return Replay(server, name).run(script, scenario)


class Replay:
    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.http = requests.Session()
        self.workflow = None
        self.started = []
        self.own = self.soon = self.alike = None
        self.said = []

    def run(self, script, scenario):
        # Tasks that an earlier replay has left behind are not ours.
        apart = f"_{uuid.uuid4().hex[:8]}"
        self.soon = (datetime.now(timezone.utc) + SOON).strftime("%-S %-M %-H %-d %-m *")
        self.alike = Alike(apart, self.soon)
        self.own = own = f"{self.name}_{scenario.replace(' ', '_')}{apart}"
        definitions = [named(one, own) for one in script.get("taskDefs", [])]
        if definitions:
            self.ask("POST", "/metadata/taskdefs", definitions)
        self.ask("PUT", "/metadata/workflow", [named(one, own) for one in script["workflows"]])
        try:
            for step in script["scenarios"][scenario]:
                self.step(self.timed(named(step, own)))
        except TimeoutError as error:
            self.note("waited in vain", str(error))
        self.look()
        for workflow in self.started:
            self.ask("DELETE", f"/workflow/{workflow}")
        return self.said

    def step(self, step):
        if "start" in step:
            request = {"name": step["start"], "input": step.get("input", {}), **step.get("request", {})}
            answer = self.ask("POST", "/workflow", request)
            self.workflow = answer.text
            self.started.append(answer.text)
            if answer.status_code != 200:
                self.note("start", answered(answer))
        elif "work" in step:
            self.work(step)
        elif "take" in step:
            self.note("taken", self.taken(step["take"]))
        elif "call" in step:
            self.call(step)
        elif "found" in step:
            self.workflow = self.wait(lambda: self.called(step["found"]), step)
            self.started.append(self.workflow)
        elif "until" in step:
            self.until(step["until"])
        elif "look" in step:
            self.look()
        else:
            raise ValueError(f"{self.name}: no such step: {step}")

    def call(self, step):
        method, path = self.filled(step["call"]).split(" ", 1)
        body = self.filled(step.get("body"))
        answer = self.ask(method, path, body)
        if wanted := step.get("until"):
            answer = self.wait(lambda: has(now := self.ask(method, path, body), wanted) and now, step)
        kind = {"type": answer.headers.get("Content-Type")} if step.get("type") else {}
        self.note(step["call"], answered(answer) | kind)

    def called(self, name):
        """The run that calls itself as all runs of this scenario do, if it is there."""
        answer = self.ask("GET", f"/workflow/{name}/correlated/{self.own}?includeClosed=true&includeTasks=false")
        return next((run["workflowId"] for run in answer.json()), None)

    def work(self, step):
        taken = self.taken(step["work"])
        self.note("taken", taken)
        result = {"workflowInstanceId": taken["workflowInstanceId"], "taskId": taken["taskId"], "workerId": "worker"}
        result |= {"status": step.get("status", "COMPLETED"), "outputData": step.get("output", {})}
        result |= {"reasonForIncompletion": step["reason"]} if "reason" in step else {}
        result |= step.get("result", {})
        answer = self.ask("POST", "/tasks", result)
        assert answer.status_code == 200, answer.text

    def taken(self, name):
        path = f"/tasks/poll/{name}?workerid=worker"
        return self.wait(lambda: (found := self.ask("GET", path)).status_code == 200 and found.json(), name)

    def until(self, wanted):
        if isinstance(wanted, str):
            self.wait(lambda: self.run_of(self.workflow)["status"] == wanted, wanted)
        else:
            self.wait(lambda: wanted.items() <= latest(self.run_of(self.workflow)).items(), wanted)

    def look(self):
        """Notes the run and those below it, once nothing in them moves any more."""
        if not self.workflow:
            return
        last = None
        while (now := self.family(self.workflow)) != last:
            last = now
            time.sleep(0.15)
        self.note("runs", now)

    def family(self, workflow):
        run = self.run_of(workflow)
        runs = [run]
        for task in run.get("tasks", []):
            if task.get("subWorkflowId") and task["taskType"] == "SUB_WORKFLOW":
                runs += self.family(task["subWorkflowId"])
        return runs

    def run_of(self, workflow):
        answer = self.ask("GET", f"/workflow/{workflow}?includeTasks=true")
        return answer.json() if answer.status_code == 200 else {"status": answer.status_code, "tasks": []}

    def filled(self, value):
        if isinstance(value, dict):
            return {key: self.filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if not isinstance(value, str) or "{" not in value or not self.workflow:
            return value
        runs = self.family(self.workflow)
        tasks = {task["referenceTaskName"]: task for run in reversed(runs) for task in run.get("tasks", [])}
        child = runs[1]["workflowId"] if len(runs) > 1 else ""
        value = value.replace("{run}", self.workflow).replace("{child}", child)
        return re.sub(r"\{task ([^}]+)\}", lambda match: tasks[match[1]]["taskId"], value)

    def timed(self, value):
        return json.loads(json.dumps(value).replace("{soon}", self.soon))

    def ask(self, method, path, body=None):
        return self.http.request(method, self.server + path, json=body, timeout=PATIENCE)

    def note(self, what, value):
        self.said.append({self.alike.text(what): self.alike.made(value)})

    def wait(self, look, what):
        until = time.monotonic() + PATIENCE
        while not (found := look()):
            if time.monotonic() > until:
                run = self.run_of(self.workflow)
                raise TimeoutError(f"{what}: {run['status']} {latest(run)}")
            time.sleep(0.02)
        return found


def named(value, own):
    """With the name that this scenario has for itself instead of `@`."""
    if isinstance(value, dict):
        return {key: named(one, own) for key, one in value.items()}
    if isinstance(value, list):
        return [named(one, own) for one in value]
    return value.replace("{http}", TARGET.address).replace("@", own) if isinstance(value, str) else value


def has(answer, wanted):
    """Whether that is in an answer, or, for a number, whether the answer is a list of so many."""
    if answer.status_code != 200:
        return False
    body = answer.json()
    return len(body) >= wanted if isinstance(wanted, int) else wanted.items() <= body.items()


def latest(run):
    return {task["referenceTaskName"]: task["status"] for task in run.get("tasks", [])}


def answered(answer):
    try:
        body = answer.json()
    except ValueError:
        body = answer.text
    return {"status": answer.status_code, "body": body}


class Alike:
    """Replaces what no two runs have in common: ids become <1>, <2>…, points in time <time>."""

    ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
    TIMES = {"createTime", "createdTime", "endTime", "firstStartTime", "lastRetriedTime", "scheduledTime", "startTime"}
    TIMES |= {"updateTime", "queueWaitTime", "executionTime", "lastPollTime", "updatedTime", "nextRunTime"}
    TIMES |= {"_scheduledTime", "_executedTime"}
    WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z")
    # Which of its machines did it, and how often it looked, is not the same twice on the real server either.
    AUDIT = {"createTime", "updateTime", "createdBy", "updatedBy"}
    OF_MACHINES = {"instance", "stackTrace"}
    ITS_OWN = {"instance", "ownerApp", "pollCount", "callbackAfterSeconds", "executed", "workerId"}

    def __init__(self, apart, soon):
        self.apart = apart
        self.soon = soon
        self.ids = {}
        self.definitions = {}

    def made(self, value, key=None):
        if key in ("workflowDefinition", "workflowTask", "taskDefinition") and isinstance(value, dict):
            value = self.once({name: one for name, one in value.items() if name not in self.AUDIT})
        if isinstance(value, dict):
            worked = value.get("workerId") == "worker"
            kept = {name: one for name, one in value.items() if worked or name not in self.ITS_OWN or "status" not in value}
            return {self.text(name): self.made(one, name) for name, one in sorted(kept.items()) if name not in self.OF_MACHINES}
        if isinstance(value, list):
            made = [self.made(one) for one in value]
            return sorted(made) if key in ("failedReferenceTaskNames", "failedTaskNames") else made
        if key in self.TIMES and isinstance(value, (int, float)):
            return "<time>" if value > 0 or key in ("queueWaitTime", "executionTime") else "<none>"
        return self.text(value) if isinstance(value, str) else value

    def text(self, value):
        value = value.replace(self.apart, "").replace(TARGET.address, "<http>").replace(self.soon, "<soon>")
        return self.ID.sub(self.number, self.WRITTEN.sub("<time>", value))

    def once(self, definition):
        """A definition is written down where it is first met, and where it has changed."""
        name = definition.get("taskReferenceName") or definition.get("name")
        text = json.dumps(definition, sort_keys=True)
        if self.definitions.get(name) == text:
            return f"<definition of {name}>"
        self.definitions[name] = text
        return definition

    def number(self, match):
        return self.ids.setdefault(match[0], f"<{len(self.ids) + 1}>")
