"""The example tested without an engine, on copies in temporary directories.

    python3 test_example.py
"""

import contextlib
import fnmatch
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from itertools import combinations
from pathlib import Path

import mutate
from fingerprint import files

HERE = Path(__file__).resolve().parent
FLOW = (HERE / "flow.yaml").read_text("utf-8")
STEPS = ["health", "load", "throttle", "revenue", "positions", "decide", "dunning", "export", "kpis", "audit", "trace",
         "notify"]
DECISION = '{"dunning": "run", "grace_days": 7, "block": true, "fired": []}'


class Copy:
    """The example in a directory of its own, with a partner that answers fast."""

    def __init__(self, directory, latency="0.02"):
        self.root = shutil.copytree(HERE, Path(directory) / "erp", ignore=shutil.ignore_patterns("work", "__pycache__"))
        self.work = self.root / "work"
        (self.root / "key").write_text("the key of a test")
        self.env = {**os.environ, "PSEUDONYM_KEY_FILE": str(self.root / "key"), "ERP_LATENCY": latency}

    def call(self, *command):
        return subprocess.run([sys.executable, *command], cwd=self.root, env=self.env, capture_output=True, text=True)

    def start(self, *command):
        return subprocess.Popen([sys.executable, *command], cwd=self.root, env=self.env, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def plain(self, *options):
        return self.call("run_plain.py", *options)

    def verify(self):
        return self.call("verify.py")

    def is_writing(self):
        """Whether a step has begun to write and not ended, or was killed meanwhile."""
        return any((self.work / ".journal").glob("*/*.open"))

    def wait_for_writing(self, child):
        while child.poll() is None and not self.is_writing():
            time.sleep(0.001)

    def state(self):
        return dict(files(self.work))


class Example(unittest.TestCase):
    """Each test has a copy; those that need a finished run share the files of one."""

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory()
        cls.finished = Copy(cls.shared.name)
        done = cls.finished.plain()
        assert done.returncode == 0, done.stdout + done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.copy = Copy(place.name)

    def finish(self):
        shutil.copytree(self.finished.work, self.copy.work, ignore=shutil.ignore_patterns(".*"))
        return self.copy


class Success(Example):
    def test_twelve_of_twelve_succeed_and_no_total_differs(self):
        checked = self.finished.verify()
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("12 of 12 components", checked.stdout)

    def test_equal_runs_leave_equal_books(self):
        self.finish().plain()
        before, after = self.finished.state(), self.copy.state()
        for path in ("reports/month-end.json", "data/audit.log", "reports/kpis.json", "exports/customers.csv"):
            self.assertEqual(before[path], after[path], path)

    def test_nothing_due_means_no_reminders(self):
        done = self.copy.plain("--tolerance", "999999999999")
        self.assertIn("skip  dunning", done.stdout)
        self.assertEqual(self.copy.call("verify.py", "--tolerance", "999999999999").returncode, 0)
        self.assertIn("dunning decided", self.copy.verify().stderr)

    def test_another_seed_makes_other_data(self):
        self.finish().plain("--seed", "7")
        self.assertNotEqual(self.finished.state()["raw/orders.csv"], self.copy.state()["raw/orders.csv"])
        self.assertEqual(self.copy.verify().returncode, 0)


class Rollback(Example):
    def test_whichever_step_fails_every_byte_comes_back_in_any_order_of_undoing(self):
        before = self.finish().state()
        for seed, step in enumerate(STEPS):
            with self.subTest(step):
                done = self.copy.plain("--month", "2025-09", "--seed", "7", "--inject", step, "--undo-order", str(seed))
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"FAIL  {step}: {step} fails because the run asked for it", done.stdout)
                self.assertEqual(self.copy.state(), before)
                self.assertFalse((self.copy.work / ".journal").exists())

    def test_where_nothing_was_nothing_is_left(self):
        self.copy.plain("--inject", "notify")
        self.assertEqual(self.copy.state(), {})

    def test_a_finished_run_can_be_taken_back_even_if_each_undo_is_killed_once(self):
        before, rng = self.finish().state(), random.Random(3)
        self.assertEqual(self.copy.plain("--month", "2025-03").returncode, 0)
        self.assertNotEqual(self.copy.state(), before)
        for step in reversed(STEPS):
            child = self.copy.start("undo.py", step)
            time.sleep(rng.uniform(0.02, 0.08))
            child.kill()
            child.communicate()
            self.assertEqual(self.copy.call("undo.py", step).returncode, 0)
            self.assertEqual(self.copy.call("undo.py", step).returncode, 0)
        self.assertEqual(self.copy.state(), before)

    def test_without_one_undo_the_state_is_another(self):
        before = self.finish().state()
        self.copy.plain("--month", "2025-03")
        for step in reversed(STEPS):
            if step not in ("load", "decide", "revenue"):
                self.copy.call("undo.py", step)
        self.assertNotEqual(self.copy.state(), before)

    def test_a_step_told_to_stop_leaves_nothing_behind(self):
        before, rng, stopped = self.finish().state(), random.Random(1), 0
        for _ in range(12):
            child = self.copy.start("-m", "steps.dunning", "2025-09", DECISION)
            self.copy.wait_for_writing(child)
            time.sleep(rng.uniform(0, 0.05))
            child.terminate()
            child.communicate()
            stopped += child.returncode != 0
            if child.returncode == 0:
                self.copy.call("undo.py", "dunning")
            self.assertEqual(self.copy.state(), before)
        self.assertGreater(stopped, 3)

    def test_a_step_killed_at_any_moment_can_be_run_again_and_taken_back(self):
        before, rng, killed = self.finish().state(), random.Random(2), 0
        for trial in range(16):
            step = [["load"], ["throttle"], ["dunning", "2025-09", DECISION], ["positions", "2025-09"]][trial % 4]
            child = self.copy.start("-m", f"steps.{step[0]}", *step[1:])
            self.copy.wait_for_writing(child)
            time.sleep(rng.uniform(0, 0.1))
            child.kill()
            child.communicate()
            killed += self.copy.is_writing()
            again = self.copy.call("-m", f"steps.{step[0]}", *step[1:])
            self.assertEqual(again.returncode, 0, again.stderr)
        self.assertGreater(killed, 3)
        with contextlib.closing(sqlite3.connect(self.copy.work / "data/erp.db")) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        for step in reversed(STEPS):
            self.copy.call("undo.py", step)
        self.assertEqual(self.copy.state(), before)

    def test_what_a_killed_run_has_left_the_next_one_clears(self):
        before = self.finish().state()
        child = self.copy.start("run_plain.py", "--month", "2025-09")
        time.sleep(0.7)
        child.kill()
        child.communicate()
        time.sleep(1)  # The step that it had started ends by itself.
        self.assertEqual(self.copy.plain().returncode, 0)
        self.assertEqual(self.copy.verify().returncode, 0)
        self.assertEqual(self.copy.state()["reports/month-end.json"], before["reports/month-end.json"])


def edit(path, change):
    def damage(work):
        place = work / path
        place.write_text(change(place.read_text("utf-8")), "utf-8")
    return damage


def sql(statement):
    def damage(work):
        with contextlib.closing(sqlite3.connect(work / "data/erp.db")) as db, db:
            db.execute(statement)
    return damage


def raise_first_number(text):
    return re.sub(r": (\d+)", lambda found: f": {int(found[1]) + 1}", text, count=1)


class Verification(Example):
    DAMAGES = {
        "revenue": edit("reports/month-end.json", raise_first_number),
        "line 3: its hash": edit("data/audit.log", lambda text: text.replace("WARNING", "INFO", 1)),
        "the last line": edit("data/audit.log", lambda text: text[:text[:-1].rindex("\n") + 1]),
        "the line before": edit("data/audit.log", lambda text: text.split("\n", 2)[0] + "\n" + text.split("\n", 2)[2]),
        "names 1 customers": lambda work: edit("exports/visitors.csv", lambda text: text + (
            work / "raw/customers.csv").read_text("utf-8").splitlines()[7].split(",")[1] + ",,0,0\n")(work),
        "components with handovers": lambda work: (work / "handovers/revenue.json").unlink(),
        "components with metrics": lambda work: (work / "metrics/decide.json").unlink(),
        "rows of order_lines": sql("DELETE FROM order_lines WHERE order_id = 5"),
        "open items": edit("raw/invoices.csv", lambda text: re.sub(r",(\d+),\1,", r",\1,1,", text, count=1)),
        "hash of reports/kpis.json": edit("reports/kpis.json", lambda text: text + " "),
        "reminders in the ledger": sql("DELETE FROM dunning WHERE level = 3"),
        "callbacks received": edit("reports/callbacks.json", lambda text: text.replace("sealed", "seated")),
        "used the ledger while": edit("metrics/throttle.json", lambda text: re.sub(r'"ended": \d', '"ended": 9', text)),
    }

    def test_every_damage_is_found_and_named(self):
        for message, damage in self.DAMAGES.items():
            with self.subTest(message):
                shutil.rmtree(self.copy.work, ignore_errors=True)
                damage(self.finish().work)
                checked = self.copy.verify()
                self.assertEqual(checked.returncode, 1)
                self.assertIn(message, checked.stderr)


class Necessity(Example):
    """Nothing that the flow declares is idle."""

    def test_the_list_of_mutations_is_complete(self):
        declared = [(task, key, index, text) for task, key, index, _, text in mutate.tasks(FLOW)
                    if key in ("needs", "locks")]
        listed = [(one["task"], one["key"], one["index"], one["entry"]) for one in mutations()]
        self.assertEqual(listed, declared)

    def test_the_flow_has_no_race(self):
        self.assertEqual(races(FLOW), [])

    def test_without_an_edge_or_a_lock_on_the_ledger_there_is_a_race(self):
        for one in mutations("race"):
            self.assertTrue(races(mutate.without(FLOW, one["task"], one["key"], one["index"])), one)

    def test_without_an_edge_to_the_rules_a_task_refers_to_one_it_does_not_wait_for(self):
        self.assertEqual(stray_references(FLOW), [])
        for one in mutations("reference"):
            self.assertTrue(stray_references(mutate.without(FLOW, one["task"], one["key"], one["index"])), one)

    def test_without_a_lock_on_the_partner_verification_fails(self):
        pairs = {("export", "kpis"): "status 423", ("trace", "notify"): "status 429"}
        self.assertEqual({one["task"] for one in mutations("refusal")}, {step for pair in pairs for step in pair})
        self.copy.env["ERP_LATENCY"] = "5"
        for pair, status in pairs.items():
            shutil.rmtree(self.copy.work, ignore_errors=True)
            self.finish()
            children = [self.copy.start("-m", f"steps.{step}", "2025-06") for step in pair]
            errors = "".join(child.communicate()[1] for child in children)
            self.assertTrue(status in errors or "the partner refused" in self.copy.verify().stderr, errors)


def mutations(how=None):
    return [one for one in json.loads((HERE / "mutations.json").read_text("utf-8")) if how in (None, one["how"])]


def lists(text):
    """The lists of each task: `{task: {key: [entry]}}`."""
    found = {step: {} for step in STEPS}
    for task, key, _, _, entry in mutate.tasks(text):
        found.get(task, {}).setdefault(key, []).append(entry)
    return found


def predecessors(tasks):
    """All that a task waits for, directly or not."""
    direct = {task: {re.sub(r".*task: (\w+).*", r"\1", need) for need in own.get("needs", [])}
              for task, own in tasks.items()}
    closed = {}
    for task in STEPS:  # In an order in which each comes after what it needs.
        closed[task] = direct[task].union(*(closed[need] for need in direct[task]))
    return closed


def races(text):
    """The definition, taken at its word: unordered, both touch it, one writes, and no claims that conflict."""
    tasks, found = lists(text), []
    before = predecessors(tasks)
    for a, b in combinations(STEPS, 2):
        if a in before[b] or b in before[a]:
            continue
        for path, writes in touches(tasks[a]):
            for other, other_writes in touches(tasks[b]):
                if (writes or other_writes) and overlap(path, other) and not take_turns(tasks[a], tasks[b], path):
                    found.append((a, b, path))
    return found


def touches(task):
    return [(path, False) for path in task.get("reads", [])] + [(path, True) for path in task.get("writes", [])]


def overlap(a, b):
    return fnmatch.fnmatch(a, b) or fnmatch.fnmatch(b, a)


def take_turns(a, b, path):
    """Both hold a lock on the file, one of them alone."""
    held = [[lock for lock in task.get("locks", []) if f"file:{path}" in lock] for task in (a, b)]
    return all(held) and not all("shared" in locks[0] for locks in held)


def stray_references(text):
    """References to outputs of tasks that are not waited for."""
    before, found, task = predecessors(lists(text)), [], None
    for line in text.partition("\ntasks:")[2].partition("\noutputs:")[0].splitlines():
        if named := re.fullmatch(r"  (\w+):", line):
            task = named[1]
        found += [(task, other) for other in re.findall(r"(\w+)\.output", line) if other not in before[task]]
    return found


if __name__ == "__main__":
    unittest.main()
