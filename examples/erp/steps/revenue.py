"""Caching: revenue of the year by month and region, straight from the source files.

The step only reads and answers, so an equal earlier answer serves as well: the flow declares it `cache: true`, and a
second run over the same files does not start it. It leaves no files of its own; `audit` files its papers.

    python3 -m steps.revenue
"""

import csv
import json
from collections import Counter

from steps.component import WORK, inject_failure


def main():
    regions = {row["id"]: row["region"] for row in rows("customers")}
    sold = {row["id"]: f"{row['date'][:7]} {regions[row['customer']]}"
            for row in rows("orders") if row["status"] != "cancelled"}
    revenue = Counter()
    for line in rows("order_lines"):
        if key := sold.get(line["order_id"]):
            net = int(line["quantity"]) * int(line["price_cents"]) * (1000 - int(line["discount_permille"])) // 1000
            revenue[key] += net
    inject_failure("revenue")
    print(json.dumps({"cents": dict(sorted(revenue.items())), "total_cents": revenue.total()}, ensure_ascii=False))


def rows(name):
    with (WORK / f"raw/{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    main()
