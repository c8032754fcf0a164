"""GDPR: what leaves the house names nobody.

Customers become pseudonyms (HMAC-SHA256 under the secret `pseudonym-key`, so that the same customer has the same name
in all files, and nobody without the key finds the way back); addresses of visitors lose their last part. The files
then go to the partner's archive, in one session.

    PSEUDONYM_KEY_FILE=… python3 -m steps.export MONTH
"""

import contextlib
import csv
import hmac
import io
import os
import sys
from pathlib import Path

from steps.component import component, last_day, ledger
from steps.sender import sender

OPEN_ITEMS = """
    SELECT name, invoices.id, due, total_cents - CASE WHEN paid_on <> '' AND paid_on <= :day THEN paid_cents ELSE 0 END
        AS open
    FROM invoices JOIN orders ON orders.id = order_id JOIN customers ON customers.id = customer
    WHERE region = :region AND invoices.date <= :day AND open > 0 ORDER BY invoices.id"""
VISITORS = """
    SELECT user, ip, count(*), count(refusals.request)
    FROM requests LEFT JOIN refusals ON refusals.request = requests.id
    GROUP BY user, ip ORDER BY user, ip"""


def main(month):
    with component("export") as step, contextlib.closing(ledger()) as db, sender(width=1) as archive:
        for giver in ("load", "throttle"):
            step.receive(giver)
        files = dict(documents(db, last_day(month), pseudonyms()))
        for name, text in files.items():
            step.write(f"exports/{name}", text)
        archive.send_all({name: (f"/archive/{name}", text) for name, text in files.items()},
                         lambda done, of: step.progress(done / of, f"{done} of {of} files archived"))
        step.metrics = {"files": len(files), "refused": archive.refused, "archived": len(archive.received())}
        step.requirements = ["the key stays in the house"]
        step.log("WARNING", "personal data read", purpose="pseudonymised export", files=sorted(files))
        step.output = {"files": len(files)}


def pseudonyms():
    """The function that makes a pseudonym of a name."""
    place = os.environ.get("PSEUDONYM_KEY_FILE") or sys.exit("export: the secret `pseudonym-key` is missing")
    key = Path(place).read_bytes().strip()
    return lambda name: "p-" + hmac.digest(key, name.encode(), "sha256").hex()[:16]


def documents(db, day, pseudonym):
    """Each file's name and content."""
    people = db.execute("SELECT name, region, credit_limit_cents FROM customers").fetchall()
    yield "customers.csv", table("customer region credit_limit_cents",
                                 sorted((pseudonym(name), region, limit) for name, region, limit in people))
    for region in sorted({region for _, region, _ in people}):
        rows = db.execute(OPEN_ITEMS, {"region": region, "day": day})
        yield f"open-items-{region}.csv", table("customer invoice due open_cents",
                                                ((pseudonym(name), *rest) for name, *rest in rows))
    yield "visitors.csv", table("visitor network requests refused",
                                ((pseudonym(user), network(ip), *rest) for user, ip, *rest in db.execute(VISITORS)))


def network(ip):
    return ip.rpartition(".")[0] + ".0"


def table(header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header.split())
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    main(sys.argv[1])
