"""Health checks: is there all that a month-end needs, and is it sound?

Looks for room on the disk and for the year's source data, has that made if it is missing or of another seed, and checks
that every file is whole. It is the first step, so it also clears the desk: what an earlier run has left is taken away
(and comes back if this run is undone).

    python3 -m steps.health SEED
"""

import csv
import shutil
import sys

import generate
from steps import journal
from steps.component import WORK, component

ROOM_MIN = 200 * 1024 * 1024
EARLIER = ["data/erp.db", "data/audit.log", "audit/*", "exports/*", "handovers/*", "metrics/*", "reports/*"]


def main(seed):
    journal.recover()
    journal.forget()
    with component("health") as step:
        if shutil.disk_usage(WORK).free < ROOM_MIN:
            raise SystemExit("health: less than 200 MiB of room on the disk")
        clear(step)
        if not is_present(seed):
            make(step, seed)
        rows = check_all(step)
        step.metrics = {"liveness": "pass", "readiness": "pass", "files": len(rows), "rows": sum(rows.values())}
        step.requirements = ["the source data stays as it is until the end of the run"]
        step.log("INFO", "source data checked", rows=rows)
        step.output = {"seed": seed, "rows": rows}


def clear(step):
    """Takes away the ledger and the papers of the run before."""
    for pattern in EARLIER:
        for place in sorted(WORK.glob(pattern)):
            step.keep(str(place.relative_to(WORK)))
            place.unlink()


def is_present(seed):
    mark = WORK / "raw/SEED"
    return mark.exists() and mark.read_text() == f"{seed}\n"


def make(step, seed):
    """Has the data made. The mark comes last: without it, nothing else counts."""
    for name in generate.HEADERS:
        step.keep(f"raw/{name}.csv")
    for done, (name, rows) in enumerate(generate.generate(WORK / "raw", seed), 1):
        step.progress(done / len(generate.HEADERS), f"{name}: {rows} rows")
    step.change("raw/SEED", f"{seed}\n")


def check_all(step):
    """Counts the rows of each file; a header or a row of the wrong shape is an error."""
    rows = {}
    for name, header in generate.HEADERS.items():
        with (WORK / f"raw/{name}.csv").open(encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            columns = next(table)
            shapes = [len(row) for row in table]
        if columns != header.split() or set(shapes) != {len(columns)}:
            raise SystemExit(f"health: raw/{name}.csv is damaged")
        rows[name] = len(shapes)
        step.shares(f"raw/{name}.csv")
    return rows


if __name__ == "__main__":
    WORK.mkdir(exist_ok=True)
    main(int(sys.argv[1]))
