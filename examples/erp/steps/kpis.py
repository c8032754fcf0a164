"""Business KPIs: success rate of transactions, average response time, active users; and how each region does.

The sheets then go to the partner's archive, in one session.

    python3 -m steps.kpis MONTH
"""

import contextlib
import sys

from steps.component import as_json, component, last_day, ledger
from steps.sender import sender

SHOP = """
    SELECT sum(status < 500) * 1000 / count(*), sum(duration_ms) / count(*), count(DISTINCT user),
           (SELECT count(*) FROM refusals)
    FROM requests"""
REGIONS = """
    SELECT region, count(*), count(DISTINCT customer), sum(status = 'cancelled'),
           CAST(1000 * avg(julianday(invoices.date) - julianday(orders.date)) AS INTEGER)
    FROM orders JOIN customers ON customers.id = customer LEFT JOIN invoices ON order_id = orders.id
    WHERE orders.date <= ? GROUP BY region ORDER BY region"""


def main(month):
    with component("kpis") as step, contextlib.closing(ledger()) as db, sender(width=1) as archive:
        for giver in ("load", "throttle"):
            step.receive(giver)
        success, response, users, refused = db.execute(SHOP).fetchone()
        regions = {region: dict(zip(("orders", "active_customers", "cancelled", "millidays_to_invoice"), figures))
                   for region, *figures in db.execute(REGIONS, [last_day(month)])}
        sheet = {"success_permille": success, "response_ms": response, "active_users": users,
                 "refused_requests": refused, "regions": regions}
        step.write_json("reports/kpis.json", sheet)
        sheets = {"kpis": sheet, **{f"kpis-{region}": figures for region, figures in regions.items()}}
        archive.send_all({name: (f"/archive/{name}", as_json(figures)) for name, figures in sheets.items()},
                         lambda done, of: step.progress(done / of, f"{done} of {of} sheets archived"))
        step.metrics = {"sheets": len(sheets), "refused": archive.refused, "archived": len(archive.received())}
        step.log("INFO", "KPIs computed", month=month)
        step.output = {"success_permille": success, "response_ms": response, "active_users": users}


if __name__ == "__main__":
    main(sys.argv[1])
