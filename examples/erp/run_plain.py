"""The same month-end without an engine: one step after the other, from a list. What Partitur is compared with.

    python3 run_plain.py [--month 2025-06] [--seed 2025] [--tolerance 100000] [--inject STEP] [--undo-order SEED]

If a step fails, those before it are undone, the last one first (or in the order that `--undo-order` draws).
Without PSEUDONYM_KEY_FILE in the environment, a key for trying things out is used.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ORDER = ["health", "load", "throttle", "revenue", "positions", "decide", "dunning", "export", "kpis", "audit", "trace",
         "notify"]


def main(given):
    outputs, began = {}, time.monotonic()
    for name in ORDER:
        started = time.monotonic()
        if name == "dunning" and outputs["decide"]["dunning"] != "run":
            print(f"skip  {name}")
            continue
        try:
            outputs[name] = decide(given, outputs) if name == "decide" else run(name, given, outputs)
        except Failed as failure:
            print(f"FAIL  {name}: {failure}")
            roll_back([done for done in outputs if done not in ("decide", "revenue")], given.undo_order)
            return 1
        print(f"ok    {name:10} {time.monotonic() - started:5.2f} s")
    print(f"{len(outputs)} of {len(ORDER)} components in {time.monotonic() - began:.2f} s, one after the other")
    return 0


class Failed(Exception):
    """A step did not succeed."""


def run(name, given, outputs):
    """Runs a step as a process; its output is the last line."""
    arguments = {
        "health": [str(given.seed)],
        "positions": [given.month],
        "dunning": [given.month, json.dumps(outputs.get("decide"))],
        "export": [given.month],
        "kpis": [given.month],
        "audit": [given.month, *(json.dumps(outputs.get(giver)) for giver in ("revenue", "positions", "decide"))],
    }
    command = [sys.executable, "-m", f"steps.{name}", *arguments.get(name, [])]
    done = subprocess.run(command, cwd=HERE, env=environment(given), capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def environment(given):
    return {"PSEUDONYM_KEY_FILE": given.key, **os.environ, "ERP_INJECT": given.inject}


def decide(given, outputs):
    """The rules of the flow, once more."""
    if given.inject == "decide":
        raise Failed("decide fails because the run asked for it")
    positions, revenue = outputs["positions"], outputs["revenue"]
    late = positions["overdue_cents"] > given.tolerance
    decision = {"dunning": "run" if late else "none", "grace_days": 14 if late else 30, "block": False}
    fired = ["late" if late else "nothing-due"]
    if late and positions["overdue_permille"] > 400:
        decision["grace_days"] = 7
        fired.append("very-late")
    if positions["over_limit"] > 0 and revenue["total_cents"] > 0:
        decision["block"] = True
        fired.append("beyond-limit")
    return {**decision, "fired": fired}


def roll_back(done, seed):
    order = done[::-1]
    if seed is not None:  # The order of steps that are independent of each other is free; the first one stays the last.
        order = random.Random(seed).sample(done[1:], len(done) - 1) + done[:1]
    for name in order:
        subprocess.run([sys.executable, "undo.py", name], cwd=HERE, check=True)
        print(f"undo  {name}")


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--month", default="2025-06")
    parser.add_argument("--seed", type=int, default=2025)
    parser.add_argument("--tolerance", type=int, default=100_000)
    parser.add_argument("--inject", default="", choices=["", *ORDER])
    parser.add_argument("--undo-order", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    choices = options()
    with tempfile.NamedTemporaryFile() as key:
        key.write(b"a key for trying things out")
        key.flush()
        choices.key = key.name
        sys.exit(main(choices))
