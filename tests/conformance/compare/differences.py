"""What differs between two recordings, and which of it is intended."""

import json
import re
from dataclasses import dataclass


@dataclass
class Difference:
    path: str
    real: object
    ours: object

    def __str__(self):
        return f"{self.path}\n    real {short(self.real)}\n    ours {short(self.ours)}"


class Missing:
    def __repr__(self):
        return "(nothing)"


MISSING = Missing()


def short(value):
    text = repr(value) if value is MISSING else json.dumps(value)
    return text if len(text) < 300 else text[:300] + "…"


def differences(real, ours):
    """Leaf by leaf: a field that only one has is one difference."""
    yield from below(written_out(real), written_out(ours), "", Ids())


def below(real, ours, path, ids):
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in sorted(real.keys() | ours.keys()):
            inner = f"{path}.{key}" if path else key
            yield from below(real.get(key, MISSING), ours.get(key, MISSING), inner, ids)
    elif isinstance(real, list) and isinstance(ours, list):
        for index in range(max(len(real), len(ours))):
            one, other = (side[index] if index < len(side) else MISSING for side in (real, ours))
            yield from below(one, other, f"{path}[{index}]", ids)
    elif isinstance(real, str) and isinstance(ours, str):
        if not ids.agree(real, ours):
            yield Difference(path, real, ours)
    elif real is MISSING or ours is MISSING or type(real) is not type(ours) or real != ours:
        yield Difference(path, real, ours)


class Ids:
    """Which id of ours is which of theirs: the numbers in a recording say only which ids are the same."""

    ID = re.compile(r"<\d+>")

    def __init__(self):
        self.pairs = set()

    def agree(self, real, ours):
        if self.ID.split(real) != self.ID.split(ours):
            return False
        pairs = set(zip(self.ID.findall(real), self.ID.findall(ours)))
        met = self.pairs | pairs
        if not len({one for one, _ in met}) == len({one for _, one in met}) == len(met):
            return False
        self.pairs = met
        return True


def written_out(said):
    """A recording with each definition where it stands: it was written down only where it was first met or had changed."""
    known = {}

    def whole(value, key=None):
        if isinstance(value, list):
            return [whole(one) for one in value]
        is_definition = key in ("workflowDefinition", "workflowTask", "taskDefinition")
        if is_definition and isinstance(value, str):
            return known.get(value, value)
        if not isinstance(value, dict):
            return value
        made = {}
        if is_definition:
            known[f"<definition of {value.get('taskReferenceName') or value.get('name')}>"] = made
        made.update((name, whole(one, name)) for name, one in sorted(value.items()))
        return made

    return whole(said)


def is_value(wanted, value):
    return wanted is None or re.fullmatch(wanted, "" if value is MISSING else json.dumps(value)) is not None


class Intended:
    """The table `differences.json`: for each, in which scripts and at which path, and why.

    `in` is the whole of "script scenario", `path` a part of the path; `real` and `ours`, if they are there, are the whole
    of the value as JSON, which is nothing for a field that is not there.
    """

    def __init__(self, rows):
        self.rows = rows
        self.used = set()

    @staticmethod
    def read(path):
        return Intended(json.loads(path.read_text()))

    def row(self, name, scenario, difference):
        for index, row in enumerate(self.rows):
            place = re.fullmatch(row["in"], f"{name} {scenario}") and re.search(row["path"], difference.path)
            if place and is_value(row.get("real"), difference.real) and is_value(row.get("ours"), difference.ours):
                return index
        return None

    def explains(self, name, scenario, difference):
        index = self.row(name, scenario, difference)
        self.used.add(index)
        return index is not None

    def reasons_for(self, name, scenario, found):
        return sorted({self.row(name, scenario, one) for one in found} - {None})

    def unused(self):
        return [row for index, row in enumerate(self.rows) if index not in self.used]
