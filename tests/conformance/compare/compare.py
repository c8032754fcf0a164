"""Replays scripts against a server, and compares what becomes of the runs with what the real server made of them.

    compare.py record SERVER [SCRIPT…]   adds to ../recorded/SCRIPT.json what is not there; SERVER is the real one
    compare.py check SERVER [SCRIPT…]    prints every difference that is not intended, and fails if there is one
    compare.py page SERVER               check, and writes docs/conformance.md

SERVER is an address such as http://127.0.0.1:8080/api. A script is data: definitions, and steps for each scenario.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import page
from differences import Intended, differences
from replay import replay

HERE = Path(__file__).parent
RECORDED = HERE.parent / "recorded"
AT_A_TIME = 8


def main(action, server, *names):
    scripts = [path for path in sorted((HERE / "scripts").glob("*.json")) if not names or path.stem in names]
    if action == "record":
        for path in scripts:
            record(server, path.stem, read(path))
        return 0
    work = [(path.stem, scenario) for path in scripts for scenario in read(path)["scenarios"]]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        seen = list(pool.map(lambda one: replay(server, one[0], read(script(one[0])), one[1]), work))
    became = {}
    for (name, scenario), said in zip(work, seen):
        became.setdefault(name, {})[scenario] = said
    return judge(became, whole=not names, rewrite=action == "page")


def record(server, name, script):
    """One after the other: over SQLite the real server fails runs when it has much to do at once."""
    path = RECORDED / f"{name}.json"
    known = read(path) if path.exists() else {}
    said = {one: known.get(one) or replay(server, name, script, one) for one in script["scenarios"]}
    for scenario, answers in said.items():
        if any("waited in vain" in answer for answer in answers):
            print(f"HANGS {name} {scenario}: {answers}", flush=True)
    write(path, said)
    print(f"recorded {name}", flush=True)


def judge(became, whole, rewrite):
    """Prints what differs without being intended; gives how much."""
    intended = Intended.read(HERE / "differences.json")
    today = set(read(HERE / "wrong_today.json"))
    cells, wrong = {}, 0
    for name, scenarios in became.items():
        recorded = read(RECORDED / f"{name}.json")
        for scenario, said in scenarios.items():
            found = list(differences(recorded.get(scenario, []), said))
            unknown = [one for one in found if not intended.explains(name, scenario, one)]
            expected = f"{name} {scenario}" in today
            if expected and not unknown:
                print(f"DIFFERS {name} {scenario} is right now: take it from wrong_today.json")
                wrong += 1
            for one in unknown if not expected or not whole else []:
                print(f"DIFFERS {name} {scenario} {one}")
                wrong += 1
            if bool(unknown) == expected:
                print(f"ok {name} {scenario}" + (" (FIXME: differs today)" if expected else ""))
            cells[name, scenario] = "differs" if unknown else intended.reasons_for(name, scenario, found)
    for unused in intended.unused() if whole else []:
        print(f"UNUSED  this difference no longer occurs: {unused}")
        wrong += 1
    if whole and not wrong:
        wrong += page.check(cells, intended, rewrite)
    return wrong


def script(name):
    return HERE / "scripts" / f"{name}.json"


def read(path):
    return json.loads(path.read_text())


def write(path, scenarios):
    """Each answer on a line of its own."""
    blocks = []
    for scenario, said in scenarios.items():
        lines = ",\n  ".join(json.dumps(answer, sort_keys=True) for answer in said)
        blocks.append(f"{json.dumps(scenario)}: [\n  {lines}\n]")
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("record", "check", "page"):
        raise SystemExit(__doc__)
    raise SystemExit(1 if main(*sys.argv[1:]) else 0)
