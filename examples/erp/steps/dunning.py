"""Conditional task: reminds those who are late, and blocks those beyond their credit, if the rules say so.

The flow runs this step only if `decide` says `dunning: run`. The decision comes as JSON.

    python3 -m steps.dunning MONTH '{"dunning": "run", "grace_days": 14, "block": true}'
"""

import json
import sys

from steps.component import component, last_day, transaction

LATE = """
    INSERT INTO dunning
    SELECT id, customer, CASE WHEN late > 60 THEN 3 WHEN late > 30 THEN 2 ELSE 1 END, open
    FROM (SELECT invoices.id, customer, CAST(julianday(:day) - julianday(due) AS INTEGER) AS late,
                 total_cents - CASE WHEN paid_on <> '' AND paid_on <= :day THEN paid_cents ELSE 0 END AS open
          FROM invoices JOIN orders ON orders.id = order_id WHERE invoices.date <= :day)
    WHERE open > 0 AND late > :grace"""
BEYOND = """
    INSERT INTO blocked
    SELECT customers.id,
           sum(total_cents - CASE WHEN paid_on <> '' AND paid_on <= :day THEN paid_cents ELSE 0 END) AS open
    FROM customers JOIN orders ON customer = customers.id JOIN invoices ON order_id = orders.id
    WHERE :block AND invoices.date <= :day
    GROUP BY customers.id HAVING open > credit_limit_cents"""


def main(month, decision):
    with component("dunning") as step:
        if decision["dunning"] != "run":
            raise SystemExit("dunning: the rules did not ask for it")
        with transaction(step) as db:
            report = remind(db, last_day(month), decision)
        step.write_json("reports/dunning.json", report)
        step.metrics = report
        step.log("INFO", "reminders written", levels=report["levels"], blocked=report["blocked"])
        step.output = report


def remind(db, day, decision):
    for table in ("dunning (invoice INTEGER PRIMARY KEY, customer INTEGER, level INTEGER, open_cents INTEGER)",
                  "blocked (customer INTEGER PRIMARY KEY, open_cents INTEGER)"):
        db.execute(f"DROP TABLE IF EXISTS {table.split()[0]}")
        db.execute(f"CREATE TABLE {table}")
    db.execute(LATE, {"day": day, "grace": decision["grace_days"]})
    db.execute(BEYOND, {"day": day, "block": decision["block"]})
    levels = db.execute("SELECT level, count(*), sum(open_cents) FROM dunning GROUP BY level ORDER BY level").fetchall()
    return {
        "levels": {str(level): {"items": items, "cents": cents} for level, items, cents in levels},
        "blocked": db.execute("SELECT count(*) FROM blocked").fetchone()[0],
    }


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
