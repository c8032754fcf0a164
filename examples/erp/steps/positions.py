"""Connection pooling: open items of every customer and the value of the stock, asked by eight threads over one pool.

The ledger is asked as if it stood on another machine: a connection takes 20 ms to open, a question 5 ms to travel.

    python3 -m steps.positions MONTH
"""

import contextlib
import os
import queue
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from steps.component import component, last_day, ledger

THREADS, CONNECTIONS_MIN, CONNECTIONS_MAX = 8, 5, 20
LATENCY = float(os.environ.get("ERP_LATENCY", "1"))
OPENING_S, TRAVEL_S = 0.02 * LATENCY, 0.005 * LATENCY

OPEN_ITEMS = """
    SELECT coalesce(sum(open), 0), coalesce(sum(open) FILTER (WHERE due < :day), 0)
    FROM (SELECT due, total_cents - CASE WHEN paid_on <> '' AND paid_on <= :day THEN paid_cents ELSE 0 END AS open
          FROM invoices JOIN orders ON orders.id = order_id
          WHERE customer = :customer AND invoices.date <= :day)"""
STOCK = """
    SELECT coalesce(sum(quantity * cost_cents), 0) FROM stock_movements JOIN articles ON articles.id = article
    WHERE warehouse = :warehouse AND date <= :day"""


class Pool:
    """Connections that are opened once and used again; the least there are wait ready, more come when all are busy."""

    def __init__(self):
        self.idle, self.guard, self.opened, self.checkouts = queue.LifoQueue(), threading.Lock(), 0, 0
        for _ in range(CONNECTIONS_MIN):
            self.idle.put(self.open())

    def open(self):
        self.opened += 1
        time.sleep(OPENING_S)
        return ledger()

    @contextlib.contextmanager
    def connection(self):
        with self.guard:
            self.checkouts += 1
            grow = self.idle.empty() and self.opened < CONNECTIONS_MAX
            db = self.open() if grow else None
        db = db or self.idle.get()
        try:
            yield db
        finally:
            self.idle.put(db)

    def ask(self, question, **values):
        with self.connection() as db:
            time.sleep(TRAVEL_S)
            return db.execute(question, values).fetchall()

    def close(self):
        while not self.idle.empty():
            self.idle.get().close()


def main(month):
    with component("positions") as step, contextlib.closing(Pool()) as pool, ThreadPoolExecutor(THREADS) as threads:
        step.receive("load")
        day = last_day(month)
        customers = pool.ask("SELECT id, credit_limit_cents FROM customers ORDER BY id")
        step.progress(0.1, f"{len(customers)} customers")
        answers = threads.map(lambda customer: pool.ask(OPEN_ITEMS, customer=customer[0], day=day)[0], customers)
        items = list(zip(customers, answers))
        stock = {name: pool.ask(STOCK, warehouse=name, day=day)[0][0]
                 for name, in pool.ask("SELECT DISTINCT warehouse FROM stock_movements ORDER BY 1")}
        step.output = summary(items, stock)
        step.metrics = {"connections_opened": pool.opened, "checkouts": pool.checkouts, "threads": THREADS}
        step.log("INFO", "ledger read", purpose="open items and stock", month=month)


def summary(items, stock):
    open_cents = sum(open_cents for _, (open_cents, _) in items)
    overdue_cents = sum(overdue_cents for _, (_, overdue_cents) in items)
    return {
        "open_cents": open_cents,
        "overdue_cents": overdue_cents,
        "overdue_permille": overdue_cents * 1000 // max(open_cents, 1),
        "over_limit": sum(open_cents > limit for (_, limit), (open_cents, _) in items),
        "stock_cents": stock,
    }


if __name__ == "__main__":
    main(sys.argv[1])
