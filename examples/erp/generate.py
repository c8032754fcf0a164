"""Makes the source data of the example: one business year of an invented wholesaler, as CSV files.

The same seed gives the same bytes. Amounts are whole cents, so that no total depends on the order of additions.

    python3 generate.py [--seed 2025] [--dir work/raw]
"""

import argparse
import csv
import random
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent

CUSTOMERS, ARTICLES, ORDERS, MOVEMENTS, REQUESTS = 1_500, 400, 20_000, 15_000, 10_000
FIRST_DAY = date(2025, 1, 1)

REGIONS = ["Nordküste", "Seenland", "Moormark", "Auental", "Hügelland", "Waldmark", "Rebenhang", "Südhöhe"]
WAREHOUSES = ["Altenbrück", "Mühlau", "Steinfurth"]
FIRST_NAMES = ["Albrun", "Bosse", "Dietlind", "Eike", "Fenja", "Gunnar", "Heilke", "Ingmar", "Jörn", "Käthe",
               "Levke", "Männe", "Nele", "Oluf", "Quirin", "Rike", "Sönke", "Tjark", "Ute", "Wiebke"]
NAME_HEADS = ["Weiden", "Birken", "Mühl", "Stein", "Löwen", "Falken", "Kessel", "Grün", "Hasel", "Krähen",
              "Nebel", "Silber", "Wiesen", "Ziegel", "Ähren"]
NAME_TAILS = ["kamp", "brink", "hauer", "stätter", "wirth", "moser", "feld", "garten", "rode", "büttel"]
GOODS = ["Regal", "Leuchte", "Pumpe", "Ventil", "Kabel", "Schraube", "Dichtung", "Platte", "Filter", "Motor"]

HEADERS = {
    "customers": "id name email region credit_limit_cents",
    "articles": "id name price_cents cost_cents",
    "orders": "id date customer clerk status",
    "order_lines": "order_id line article quantity price_cents discount_permille",
    "invoices": "id order_id date due total_cents paid_cents paid_on",
    "stock_movements": "id date article warehouse quantity",
    "requests": "id second ip user status duration_ms",
}


def customers(rng):
    """People and firms; a name is made of parts, and its number keeps it unique."""
    for number in range(1, CUSTOMERS + 1):
        first, last = rng.choice(FIRST_NAMES), rng.choice(NAME_HEADS) + rng.choice(NAME_TAILS)
        email = f"{first}.{last}.{number}@kunde.example".lower()
        limit = rng.choice((500_000, 1_500_000, 4_000_000, 10_000_000))
        yield number, f"{first} {last}-{number}", email, rng.choice(REGIONS), limit


def articles(rng):
    """Goods with a price and a lower cost."""
    for number in range(1, ARTICLES + 1):
        price = rng.randrange(150, 25_000)
        yield number, f"{rng.choice(GOODS)} {number:03}", price, price * rng.randrange(45, 75) // 100


def orders_and_lines(rng, prices):
    """Orders, oldest first, each with the lines that belong to it; a few customers buy most."""
    days = sorted(rng.randrange(365) for _ in range(ORDERS))
    for number, day in enumerate(days, 1):
        customer = 1 + int(CUSTOMERS * rng.random() ** 2)
        status = rng.choices(("shipped", "open", "cancelled"), (80, 14, 6))[0]
        order = (number, FIRST_DAY + timedelta(day), customer, f"clerk{rng.randrange(1, 41):02}", status)
        lines = []
        for line in range(1, rng.choice((1, 1, 2, 2, 3, 4)) + 1):
            article = rng.randrange(1, ARTICLES + 1)
            discount = rng.choice((0, 0, 0, 20, 50, 100))
            lines.append((number, line, article, rng.randrange(1, 25), prices[article], discount))
        yield order, lines


def invoice(rng, number, order, lines):
    """The invoice of a shipped order: with tax, and paid in full, in part or not at all."""
    net = sum(quantity * price * (1000 - discount) // 1000 for _, _, _, quantity, price, discount in lines)
    total = net * 119 // 100
    issued = order[1] + timedelta(rng.randrange(1, 6))
    paid = rng.choices((total, total // 2, 0), (78, 8, 14))[0]
    paid_on = issued + timedelta(rng.randrange(3, 75)) if paid else ""
    return number, order[0], issued, issued + timedelta(30), total, paid, paid_on


def stock_movements(rng):
    """Goods in and out of the warehouses; more comes in than goes out."""
    for number in range(1, MOVEMENTS + 1):
        quantity = rng.randrange(20, 200) if rng.random() < 0.45 else -rng.randrange(1, 90)
        yield (number, FIRST_DAY + timedelta(rng.randrange(365)), rng.randrange(1, ARTICLES + 1),
               rng.choice(WAREHOUSES), quantity)


def requests(rng):
    """An hour of the web shop's access log, with two visitors who ask far too often."""
    for number, second in enumerate(sorted(rng.randrange(3600) for _ in range(REQUESTS)), 1):
        if rng.random() < 0.25:
            ip, user = rng.choice((("198.51.100.7", "user900"), ("198.51.100.8", "user901")))
        else:
            ip, user = f"203.0.113.{rng.randrange(1, 255)}", f"user{rng.randrange(1, 300):03}"
        status = rng.choices((200, 201, 404, 500), (88, 6, 4, 2))[0]
        yield number, second, ip, user, status, 5 + int(rng.expovariate(1 / 80))


def generate(directory, seed):
    """Writes all files and yields, for each, its name and number of rows."""
    rng = random.Random(seed)
    directory.mkdir(parents=True, exist_ok=True)
    goods = list(articles(rng))
    sales = list(orders_and_lines(rng, {article[0]: article[2] for article in goods}))
    shipped = (sale for sale in sales if sale[0][4] == "shipped")
    tables = {
        "customers": customers(rng),
        "articles": goods,
        "orders": (order for order, _ in sales),
        "order_lines": (line for _, lines in sales for line in lines),
        "invoices": (invoice(rng, number, *sale) for number, sale in enumerate(shipped, 1)),
        "stock_movements": stock_movements(rng),
        "requests": requests(rng),
    }
    for name, rows in tables.items():
        yield name, write(directory / f"{name}.csv", HEADERS[name].split(), rows)


def write(path, header, rows):
    """One CSV file; returns its number of rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        count = 0
        for count, row in enumerate(rows, 1):
            table.writerow(row)
    return count


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=2025)
    options.add_argument("--dir", type=Path, default=HERE / "work" / "raw")
    given = options.parse_args()
    for table, count in generate(given.dir, given.seed):
        print(f"{count:7} rows  {given.dir / table}.csv")
