"""Bulk operations: loads the year's orders, invoices and stock movements into the ledger, 1,000 rows at a time.

    python3 -m steps.load
"""

import csv
from itertools import islice

from steps.component import WORK, component, transaction

BATCH = 1_000
TABLES = {
    "customers": "id INTEGER PRIMARY KEY, name TEXT, email TEXT, region TEXT, credit_limit_cents INTEGER",
    "articles": "id INTEGER PRIMARY KEY, name TEXT, price_cents INTEGER, cost_cents INTEGER",
    "orders": "id INTEGER PRIMARY KEY, date TEXT, customer INTEGER, clerk TEXT, status TEXT",
    "order_lines": "order_id INTEGER, line INTEGER, article INTEGER, quantity INTEGER, price_cents INTEGER,"
                   " discount_permille INTEGER, PRIMARY KEY (order_id, line)",
    "invoices": "id INTEGER PRIMARY KEY, order_id INTEGER, date TEXT, due TEXT, total_cents INTEGER,"
                " paid_cents INTEGER, paid_on TEXT",
    "stock_movements": "id INTEGER PRIMARY KEY, date TEXT, article INTEGER, warehouse TEXT, quantity INTEGER",
}
INDEXES = {"orders": "customer", "invoices": "order_id", "stock_movements": "warehouse"}


def main():
    with component("load") as step:
        step.receive("health")
        counts, batches = {}, 0
        with transaction(step) as db:
            for done, (name, columns) in enumerate(TABLES.items(), 1):
                db.execute(f"DROP TABLE IF EXISTS {name}")
                db.execute(f"CREATE TABLE {name} ({columns})")
                counts[name], used = fill(db, name)
                batches += used
                step.progress(done / len(TABLES), f"{name}: {counts[name]} rows")
            for name, column in INDEXES.items():
                db.execute(f"CREATE INDEX {name}_{column} ON {name} ({column})")
        step.metrics = {"rows": sum(counts.values()), "batches": batches, "batch_size": BATCH}
        step.log("INFO", "ledger loaded", rows=counts)
        step.output = {"rows": counts}


def fill(db, name):
    """Copies a CSV file into its table; returns the numbers of rows and of batches."""
    with (WORK / f"raw/{name}.csv").open(encoding="utf-8", newline="") as file:
        table = csv.reader(file)
        places = ", ".join("?" for _ in next(table))
        rows = batches = 0
        while batch := list(islice(table, BATCH)):
            db.executemany(f"INSERT INTO {name} VALUES ({places})", batch)
            rows, batches = rows + len(batch), batches + 1
    return rows, batches


if __name__ == "__main__":
    main()
