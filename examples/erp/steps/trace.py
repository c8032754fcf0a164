"""APM and tracing: one trace of the run, a span for each component so far, sent to the partner's collector.

    python3 -m steps.trace
"""

import hashlib
import json

from steps.component import COMPONENTS, WORK, component
from steps.sender import sender

TRACED = [name for name in COMPONENTS if name not in ("trace", "notify")]


def main():
    with component("trace") as step, sender(width=3) as collector:
        step.receive("audit")
        papers = [place for name in TRACED if (place := WORK / f"metrics/{name}.json").exists()]
        spans = [span(json.loads(place.read_text("utf-8"))) for place in papers]
        collector.send_all({one["spanId"]: ("/spans", json.dumps(one)) for one in spans},
                           lambda done, of: step.progress(done / of, f"{done} of {of} spans sent"))
        step.write_json("reports/trace.json", {"spans": spans})
        step.metrics = {"spans": len(spans), "refused": collector.refused, "collected": len(collector.received())}
        step.output = {"spans": len(spans)}


def span(metrics):
    """A component's span, in the terms of OpenTelemetry."""
    return {
        "traceId": digest("month-end")[:32],
        "spanId": digest(metrics["task"])[:16],
        "name": metrics["task"],
        "startTimeUnixNano": int(metrics["started"] * 1e9),
        "endTimeUnixNano": int(metrics["ended"] * 1e9),
        "attributes": {"component": metrics["component"], "category": metrics["category"], "cpu_ms": metrics["cpu_ms"]},
    }


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
