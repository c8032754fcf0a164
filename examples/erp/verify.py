"""Checks a finished month-end, and trusts none of the steps: the raw CSV files are imported afresh into a database in
memory, all totals are asked again in SQL, and everything that was left behind is held against them.

Prints what differs and ends with 1; prints one line and ends with 0 if nothing does.

    python3 verify.py [--tolerance 100000]
"""

import argparse
import calendar
import csv
import functools
import hashlib
import json
import sqlite3
import sys
from pathlib import Path

WORK = Path(__file__).resolve().parent / "work"

COMPONENTS = ("health", "load", "throttle", "revenue", "positions", "decide", "dunning", "export", "kpis", "audit",
              "trace", "notify")
LOADED = ("customers", "articles", "orders", "order_lines", "invoices", "stock_movements", "requests")
WRITERS, READERS = ("load", "throttle", "dunning"), ("positions", "export", "kpis")

OPEN = """
    CREATE VIEW open AS
    SELECT o.customer, i.id AS invoice, i.due,
           i.total_cents - iif(i.paid_on BETWEEN '2000' AND day, i.paid_cents, 0) AS cents
    FROM invoices i, orders o, closing WHERE o.id = i.order_id AND i.date <= day"""
REVENUE = """
    SELECT substr(o.date, 1, 7) || ' ' || c.region,
           sum(l.quantity * l.price_cents * (1000 - l.discount_permille) / 1000)
    FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN customers c ON c.id = o.customer, closing
    WHERE o.status IN ('shipped', 'open') AND o.date <= day GROUP BY 1"""
STOCK = """
    SELECT m.warehouse, sum(m.quantity * a.cost_cents)
    FROM stock_movements m JOIN articles a ON a.id = m.article, closing
    WHERE m.date <= day GROUP BY 1"""
BEYOND = """
    SELECT count(*) FROM customers c
    WHERE credit_limit_cents < (SELECT coalesce(sum(cents), 0) FROM open WHERE customer = c.id)"""
DUNNING = """
    SELECT CAST(1 + (age > 30) + (age > 60) AS TEXT), count(*), sum(cents)
    FROM (SELECT cents, julianday(day) - julianday(due) AS age FROM open, closing WHERE cents > 0)
    WHERE age > ? GROUP BY 1"""
REFUSED = """
    SELECT count(*) FROM (
        SELECT row_number() OVER (PARTITION BY second ORDER BY id) > 1000
            OR row_number() OVER (PARTITION BY second / 60, ip ORDER BY id) > 60
            OR row_number() OVER (PARTITION BY second / 3600, user ORDER BY id) > 1000 AS over
        FROM requests) WHERE over"""
SHOP = "SELECT 1000 * count(*) FILTER (WHERE status < 500) / count(*), sum(duration_ms) / count(*) FROM requests"
USERS = "SELECT count(*) FROM (SELECT user FROM requests GROUP BY user)"
ORDERS = """
    SELECT c.region, count(*) FROM orders o JOIN customers c ON c.id = o.customer, closing
    WHERE o.date <= day GROUP BY 1"""


class Check:
    """Notes every difference."""

    def __init__(self):
        self.count, self.differences = 0, []

    def equal(self, what, found, expected):
        self.count += 1
        if found != expected:
            self.differences.append(f"{what}: found {shorten(found)}, expected {shorten(expected)}")

    def true(self, what, holds):
        self.count += 1
        if not holds:
            self.differences.append(what)


def main(tolerance):
    check = Check()
    for part in (papers, totals, ledger, log, exports, partner, order):
        try:
            part(check, tolerance)
        except (OSError, ValueError, KeyError, TypeError, IndexError, sqlite3.Error) as error:
            check.true(f"{part.__name__} cannot be checked: {type(error).__name__}: {error}", False)
    for difference in check.differences:
        print(f"verify: {difference}", file=sys.stderr)
    if check.differences:
        print(f"verify: {len(check.differences)} of {check.count} checks failed", file=sys.stderr)
        return 1
    done, of = len(expected_components()), len(COMPONENTS)
    print(f"verified: {done} of {of} components, {check.count} checks, no difference")
    return 0


def papers(check, _):
    """Every component has left metrics and a handover document, and what was handed over is still the same."""
    expected = sorted(expected_components())
    for kind in ("metrics", "handovers"):
        check.equal(f"components with {kind}", sorted(place.stem for place in (WORK / kind).glob("*.json")), expected)
    for name in expected:
        document = read(f"handovers/{name}.json")
        check.equal(f"status of {name}", document["status"], "completed")
        for artifact in document["artifacts"]:
            place = WORK / artifact["path"]
            check.true(f"{name} has handed over {artifact['path']}, which is gone", place.exists())
            if artifact["sha256"] and place.exists():
                check.equal(f"hash of {artifact['path']}", sha256(place), artifact["sha256"])


def totals(check, tolerance):
    """The figures of the report, asked again."""
    report, db = read("reports/month-end.json"), fresh_database()
    one = lambda question: db.execute(question).fetchone()[0]
    check.equal("revenue", report["revenue_cents"], dict(db.execute(REVENUE)))
    open_cents = one("SELECT sum(cents) FROM open")
    overdue = one("SELECT sum(cents) FROM open, closing WHERE due < day")
    positions = report["positions"]
    check.equal("open items", positions["open_cents"], open_cents)
    check.equal("overdue items", positions["overdue_cents"], overdue)
    check.equal("customers beyond their limit", positions["over_limit"], one(BEYOND))
    check.equal("value of the stock", positions["stock_cents"], dict(db.execute(STOCK)))
    grace = 30 if overdue <= tolerance else 7 if overdue * 1000 // open_cents > 400 else 14
    decision = report["decision"]
    check.equal("dunning decided", decision["dunning"], "run" if overdue > tolerance else "none")
    check.equal("days of grace", decision["grace_days"], grace)
    if overdue > tolerance:
        levels = {level: {"items": items, "cents": cents} for level, items, cents in db.execute(DUNNING, [grace])}
        check.equal("reminders", report["dunning"]["levels"], levels)
        check.equal("blocked customers", report["dunning"]["blocked"], one(BEYOND))
    kpis = report["kpis"]
    shop = kpis["success_permille"], kpis["response_ms"]
    check.equal("success rate and response time", shop, db.execute(SHOP).fetchone())
    check.equal("active users", kpis["active_users"], one(USERS))
    check.equal("refused requests", kpis["refused_requests"], one(REFUSED))
    # An invoice has one order and an order at most one invoice, so a join must not have multiplied orders.
    check.equal("orders of the regions", {name: figures["orders"] for name, figures in kpis["regions"].items()},
                dict(db.execute(ORDERS)))


def ledger(check, _):
    """The ledger holds each row of the files, and what follows from them."""
    db, report = sqlite3.connect(f"file:{WORK / 'data/erp.db'}?mode=ro", uri=True), read("reports/month-end.json")
    check.equal("integrity of the ledger", db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
    for name in LOADED:
        check.equal(f"rows of {name}", db.execute(f"SELECT count(*) FROM {name}").fetchone()[0], len(rows(name)))
    check.equal("refusals in the ledger", db.execute("SELECT count(*) FROM refusals").fetchone()[0],
                report["kpis"]["refused_requests"])
    if report["dunning"]:
        check.equal("reminders in the ledger", db.execute("SELECT count(*) FROM dunning").fetchone()[0],
                    sum(level["items"] for level in report["dunning"]["levels"].values()))


def log(check, _):
    """Each line of the audit log names the one before; the last one names the report."""
    previous, entry = "0" * 64, None
    for number, line in enumerate((WORK / "data/audit.log").read_text("utf-8").splitlines(), 1):
        digest, _, body = line.partition(" ")
        entry = json.loads(body)
        check.equal(f"audit log, line {number}: its hash", digest, hashlib.sha256(body.encode()).hexdigest())
        check.equal(f"audit log, line {number}: its number", entry["number"], number)
        check.equal(f"audit log, line {number}: the line before", entry["previous"], previous)
        previous = digest
    check.equal("audit log: the last line", previous, read("metrics/audit.json")["head"])
    check.equal("audit log: the hash of the report", entry["report"], sha256(WORK / "reports/month-end.json"))


def exports(check, _):
    """The exports name nobody, and lose nothing."""
    people, users = rows("customers"), {request["user"] for request in rows("requests")}
    files = sorted((WORK / "exports").glob("*.csv"))
    check.equal("exported files", len(files), 2 + len({person["region"] for person in people}))
    for place in files:
        text = place.read_text("utf-8")
        found = [person["name"] for person in people if person["name"] in text or person["email"] in text]
        check.true(f"{place.name} names {len(found)} customers, the first is {found[:1]}", not found)
        check.true(f"{place.name} names visitors", not any(user in text for user in users))
    pseudonyms = {row["customer"] for row in table(WORK / "exports/customers.csv")}
    check.equal("exported customers", len(pseudonyms), len(people))
    items = [row for place in files if place.name.startswith("open-items") for row in table(place)]
    check.equal("exported open items", sum(int(row["open_cents"]) for row in items),
                read("reports/month-end.json")["positions"]["open_cents"])
    visits = table(WORK / "exports/visitors.csv")
    check.equal("exported requests", sum(int(row["requests"]) for row in visits), len(rows("requests")))


def partner(check, _):
    """The partner got everything once, and never more at a time than it can take."""
    report, told = read("reports/month-end.json"), read("reports/callbacks.json")
    expected = {f"revenue-{key[8:]}" for key in report["revenue_cents"] if key.startswith(report["month"])}
    expected |= {f"dunning-{level}" for level in (report["dunning"] or {"levels": ()})["levels"]} | {"kpis", "sealed"}
    check.equal("callbacks received", told["received"], sorted(f"{report['month']}-{key}" for key in expected))
    check.equal("callbacks sent", sorted(one["key"] for one in told["sent"]), told["received"])
    check.equal("spans", {span["name"] for span in read("reports/trace.json")["spans"]},
                expected_components() - {"trace", "notify"})
    for name, what in (("export", "archive"), ("kpis", "archive"), ("trace", "quota"), ("notify", "quota")):
        refused = read(f"metrics/{name}.json")["refused"]
        check.true(f"the partner refused {refused} requests of {name}: its {what} was exceeded", refused == 0)


def order(check, _):
    """Nobody began before what it needs had ended, and nobody used the ledger while another changed it."""
    spans = {name: read(f"metrics/{name}.json") for name in expected_components() - {"revenue", "decide"}}
    for name, span in spans.items():
        for giver in set(read(f"handovers/{name}.json")["dependencies"]) & set(spans):
            check.true(f"{name} began before {giver} had ended", spans[giver]["ended"] <= span["started"])
        for other in set(WRITERS) & set(spans) - {name} if name in WRITERS + READERS else ():
            apart = spans[other]["ended"] <= span["started"] or span["ended"] <= spans[other]["started"]
            check.true(f"{name} used the ledger while {other} changed it", apart)


def expected_components():
    """All twelve; without `dunning` if the report says that nothing was due."""
    return set(COMPONENTS) - ({"dunning"} if read("reports/month-end.json")["decision"]["dunning"] == "none" else set())


def fresh_database():
    """The raw files in a database of its own, as of the last day of the month."""
    db = sqlite3.connect(":memory:")
    for name in LOADED:
        records = rows(name)
        columns = ", ".join(f"{key} NUMERIC" for key in records[0])  # What does not look like a number stays text.
        db.execute(f"CREATE TABLE {name} ({columns})")
        db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(records[0]))})",
                       [tuple(record.values()) for record in records])
    for column in ("orders (id)", "orders (customer)", "customers (id)", "articles (id)", "invoices (order_id)"):
        db.execute(f"CREATE INDEX by_{column.translate(str.maketrans(' ', '_', '()'))} ON {column}")
    year, month = map(int, read("reports/month-end.json")["month"].split("-"))
    db.execute("CREATE TABLE closing AS SELECT ? AS day", [f"{year}-{month:02}-{calendar.monthrange(year, month)[1]}"])
    db.execute(OPEN)
    return db


@functools.cache
def rows(name):
    return table(WORK / f"raw/{name}.csv")


def table(place):
    with place.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read(path):
    return json.loads((WORK / path).read_text("utf-8"))


def sha256(place):
    return hashlib.sha256(place.read_bytes()).hexdigest()


def shorten(value):
    text = str(value)
    return text if len(text) < 200 else text[:200] + " …"


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tolerance", type=int, default=100_000)
    sys.exit(main(options.parse_args().tolerance))
