"""External callbacks: tells the partner what the month has brought, and that it is sealed.

    python3 -m steps.notify
"""

import json

from steps.component import WORK, component
from steps.sender import sender


def main():
    with component("notify") as step, sender(width=3) as partner:
        step.receive("audit")
        report = json.loads((WORK / "reports/month-end.json").read_text("utf-8"))
        messages = {f"{report['month']}-{key}": ("/callbacks", json.dumps(body))
                    for key, body in callbacks(report).items()}
        sent = partner.send_all(messages, lambda done, of: step.progress(done / of, f"{done} of {of} callbacks"))
        received = partner.received()
        if set(received) != set(messages):
            raise SystemExit("notify: the partner did not get what was sent")
        step.write_json("reports/callbacks.json", {"sent": sent, "received": sorted(received)})
        step.metrics = {"callbacks": len(sent), "retries": sum(one["attempts"] - 1 for one in sent),
                        "refused": partner.refused}
        step.output = {"callbacks": len(sent)}


def callbacks(report):
    """One for each region, one for each level of reminders, one for the KPIs, one for the end."""
    month = report["month"]
    yield_of = {key[8:]: cents for key, cents in report["revenue_cents"].items() if key.startswith(month)}
    levels = (report["dunning"] or {"levels": {}})["levels"]
    return {
        **{f"revenue-{region}": {"cents": cents} for region, cents in yield_of.items()},
        **{f"dunning-{level}": figures for level, figures in levels.items()},
        "kpis": {key: value for key, value in report["kpis"].items() if key != "regions"},
        "sealed": {"open_cents": report["positions"]["open_cents"]},
    }


if __name__ == "__main__":
    main()
