"""What all steps have in common: a step is one component of the ERP system, done once for the month.

    with component("load") as step:
        step.receive("health")              # what it needs was handed over, and is intact
        step.keep("data/erp.db")            # before the first write: how it was
        …
        step.output = {"orders": 20000}

A step that succeeds leaves its metrics, its part of the audit log and a handover document, and prints its output as
JSON in its last line. A step that fails, or is told to stop, leaves everything as it was.
"""

import calendar
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import sys
import time
from dataclasses import dataclass, field

from steps import journal
from steps.journal import WORK

PERFORMANCE = "performance and scaling"
MONITORING = "monitoring"
SECURITY = "security and compliance"
WORKFLOW = "workflow extensions"

# The twelve components: their category, and to whom each hands over.
COMPONENTS = {
    "health": ("health checks", MONITORING, ["load", "throttle", "revenue"]),
    "load": ("bulk operations", PERFORMANCE, ["positions", "export", "kpis"]),
    "throttle": ("rate limiting", SECURITY, ["export", "kpis"]),
    "revenue": ("caching", PERFORMANCE, ["decide"]),
    "positions": ("connection pooling", PERFORMANCE, ["decide"]),
    "decide": ("dynamic rules", WORKFLOW, ["dunning"]),
    "dunning": ("conditional tasks", WORKFLOW, ["audit"]),
    "export": ("GDPR", SECURITY, ["audit"]),
    "kpis": ("business KPIs", MONITORING, ["audit"]),
    "audit": ("audit logging", SECURITY, ["trace", "notify"]),
    "trace": ("APM and tracing", MONITORING, []),
    "notify": ("external callbacks", WORKFLOW, []),
}


@dataclass
class Step:
    """One component at work, or one whose papers another (`keeper`) files."""

    name: str
    keeper: str = ""
    output: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    artifacts: list = field(default_factory=list)
    received: list = field(default_factory=list)
    requirements: list = field(default_factory=list)
    notes: str = ""
    events: list = field(default_factory=list)
    kept: set = field(default_factory=set)

    def receive(self, sender):
        """Takes over from `sender`, and checks that what it left is complete and unchanged."""
        document = json.loads((WORK / "handovers" / f"{sender}.json").read_text("utf-8"))
        if document["status"] != "completed" or self.name not in document["to"]:
            raise SystemExit(f"{sender} has not handed over to {self.name}")
        for artifact in document["artifacts"]:
            if artifact["sha256"] not in (None, sha256(artifact["path"])):
                raise SystemExit(f"{artifact['path']} is not what {sender} has left")
        self.received.append(sender)

    def keep(self, path):
        """Must be called before `path` is changed."""
        if path not in self.kept:
            journal.keep(self.keeper or self.name, path)
            self.kept.add(path)

    def write(self, path, text):
        """Replaces a whole file and hands it over."""
        self.change(path, text)
        self.artifacts.append({"path": path, "sha256": sha256(path)})

    def write_json(self, path, value):
        self.write(path, as_json(value))

    def change(self, path, text):
        self.keep(path)
        (WORK / path).parent.mkdir(parents=True, exist_ok=True)
        (WORK / path).write_text(text, "utf-8")

    def shares(self, path):
        """Hands over a file that others will change too."""
        self.artifacts.append({"path": path, "sha256": None})

    def log(self, level, event, **details):
        """One entry for the audit log: what happened, and no time, so that equal runs have equal logs."""
        self.events.append({"level": level, "component": self.name, "event": event, **details})

    def progress(self, fraction, message):
        """Tells how far it is: in the file that the engine names, else to whoever reads along."""
        if path := os.environ.get("PARTITUR_PROGRESS"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{fraction:.3f} {message}\n")
        else:
            print(f"{fraction:4.0%} {self.name}: {message}", file=sys.stderr)

    def file_papers(self, started, cpu):
        """Leaves metrics, audit entries and the handover document."""
        title, category, receivers = COMPONENTS[self.name]
        ended = time.time()
        self.change(f"metrics/{self.name}.json", as_json({
            "task": self.name, "component": title, "category": category, "started": started, "ended": ended,
            "duration_ms": round((ended - started) * 1000, 1), "cpu_ms": round(cpu * 1000, 1), **self.metrics,
        }))
        if self.events:
            self.change(f"audit/{self.name}.jsonl", "".join(as_line(event) for event in self.events))
        self.change(f"handovers/{self.name}.json", as_json({
            "task": self.name, "from": f"{self.name}-agent", "to": receivers,
            "to_agents": [f"{receiver}-agent" for receiver in receivers], "status": "completed",
            "artifacts": self.artifacts, "requirements": self.requirements, "dependencies": self.received,
            "notes": self.notes or f"{title} ({category})",
        }))


@contextlib.contextmanager
def component(name):
    """Runs a step: all of its effects, or none."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    step, started, cpu = Step(name), time.time(), time.process_time()
    try:
        yield step
        step.file_papers(started, time.process_time() - cpu)
        inject_failure(name)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # From here on it has succeeded: too late to be told to stop.
        journal.commit(name)
    except BaseException:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        journal.abandon(name)
        raise
    print(json.dumps(step.output, ensure_ascii=False))


def inject_failure(name):
    """The fault that a run may ask for: everything is written, and then the step fails."""
    if os.environ.get("ERP_INJECT") == name:
        raise SystemExit(f"{name} fails because the run asked for it")


@contextlib.contextmanager
def transaction(step):
    """The ledger, for one transaction that changes it. The caller holds its exclusive lock."""
    step.keep("data/erp.db")
    step.shares("data/erp.db")
    (WORK / "data").mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(WORK / "data/erp.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")  # After a power cut the run is repeated from its sources.
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


def ledger():
    """The ledger, to read from. The caller holds its shared lock."""
    place = f"file:{WORK / 'data/erp.db'}?mode=rw"  # Not `ro`: a reader too must be able to repair a write cut short.
    db = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA query_only = ON")
    return db


def last_day(month):
    """The last day of `YYYY-MM`: books are closed as of it."""
    year, number = map(int, month.split("-"))
    return f"{month}-{calendar.monthrange(year, number)[1]}"


def sha256(path):
    return hashlib.sha256((WORK / path).read_bytes()).hexdigest()


def as_json(value):
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def as_line(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n"
