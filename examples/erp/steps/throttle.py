"""Rate limiting: replays an hour of the web shop's access log and finds whom the limits would have refused.

The limits: 1,000 requests a second in all, 60 a minute from one address, 1,000 an hour from one user. The log and the
refusals go into the ledger.

    python3 -m steps.throttle
"""

import csv
from collections import Counter

from steps.component import WORK, component, transaction

# Name, length of the window in seconds, requests allowed in it, and to whom it applies.
LIMITS = [("global", 1, 1_000, None), ("address", 60, 60, "ip"), ("user", 3_600, 1_000, "user")]


def main():
    with component("throttle") as step:
        step.receive("health")
        requests = read()
        refused = list(refusals(requests))
        with transaction(step) as db:
            store(db, requests, refused)
        counts = Counter(rule for _, rule in refused)
        step.metrics = {"requests": len(requests), "refused": dict(counts)}
        step.log("WARNING" if refused else "INFO", "requests over the limit", refused=dict(counts))
        step.output = {"requests": len(requests), "refused": len(refused)}


def read():
    with (WORK / "raw/requests.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refusals(requests):
    """The first limit that each request breaks, in the order of the log."""
    seen = Counter()
    for request in requests:
        keys = [(rule, int(request["second"]) // window, request[whom] if whom else "")
                for rule, window, _, whom in LIMITS]
        seen.update(keys)
        for key, (rule, _, allowed, _) in zip(keys, LIMITS):
            if seen[key] > allowed:
                yield int(request["id"]), rule
                break


def store(db, requests, refused):
    db.execute("DROP TABLE IF EXISTS requests")
    db.execute("DROP TABLE IF EXISTS refusals")
    db.execute("CREATE TABLE requests (id INTEGER PRIMARY KEY, second INTEGER, ip TEXT, user TEXT, status INTEGER,"
               " duration_ms INTEGER)")
    db.execute("CREATE TABLE refusals (request INTEGER PRIMARY KEY, rule TEXT)")
    db.executemany("INSERT INTO requests VALUES (:id, :second, :ip, :user, :status, :duration_ms)", requests)
    db.executemany("INSERT INTO refusals VALUES (?, ?)", refused)


if __name__ == "__main__":
    main()
