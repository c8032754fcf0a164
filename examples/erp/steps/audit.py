"""Audit logging: seals the month.

Writes the month-end report, joins the entries of all components into one log in which each line carries the hash of the
line before, and ends it with the hash of the report: whoever changes either one later is found out. Files the papers of
the two components that cannot do it themselves: an answer from the cache, and rules that the engine evaluates.

    python3 -m steps.audit MONTH REVENUE POSITIONS DECISION          (the outputs of three steps, as JSON)
"""

import hashlib
import json
import sys
import time

from steps.component import COMPONENTS, WORK, Step, component, sha256

FIRST = "0" * 64


def main(month, revenue, positions, decision):
    with component("audit") as step:
        if decision.get("dunning") == "run":
            step.receive("dunning")
        for giver in ("export", "kpis"):
            step.receive(giver)
        step.write_json("reports/month-end.json", report(month, revenue, positions, decision))
        for absent in (
            Step("revenue", metrics={"months_and_regions": len(revenue["cents"])}, received=["health"]),
            Step("decide", metrics={"fired": decision["fired"]}, received=["positions", "revenue"]),
        ):
            absent.keeper, absent.notes = "audit", "filed by audit on its behalf"
            absent.file_papers(time.time(), 0)
        step.log("INFO", "rules evaluated", fired=decision["fired"])
        step.log("CRITICAL", "month sealed", month=month, report=sha256("reports/month-end.json"))
        lines, head = chain([*entries(), *step.events])
        step.write("data/audit.log", "".join(lines))
        step.metrics = {"entries": len(lines), "head": head}
        step.requirements = ["report and log are sealed: nobody changes them"]
        step.output = {"entries": len(lines), "head": head}


def report(month, revenue, positions, decision):
    return {
        "month": month,
        "revenue_cents": {key: cents for key, cents in revenue["cents"].items() if key[:7] <= month},
        "positions": positions,
        "decision": decision,
        "dunning": read("reports/dunning.json") if decision.get("dunning") == "run" else None,
        "kpis": read("reports/kpis.json"),
    }


def entries():
    """What the components noted, in the order of the table: equal runs have equal logs, however they were played."""
    for name in COMPONENTS:
        place = WORK / f"audit/{name}.jsonl"
        if place.exists():
            yield from map(json.loads, place.read_text("utf-8").splitlines())


def chain(events):
    """The lines of the log, and the hash of the last one."""
    lines, previous = [], FIRST
    for number, event in enumerate(events, 1):
        body = json.dumps({"number": number, "previous": previous, **event}, ensure_ascii=False, sort_keys=True)
        previous = hashlib.sha256(body.encode()).hexdigest()
        lines.append(f"{previous} {body}\n")
    return lines, previous


def read(path):
    return json.loads((WORK / path).read_text("utf-8"))


if __name__ == "__main__":
    main(sys.argv[1], *map(json.loads, sys.argv[2:]))
