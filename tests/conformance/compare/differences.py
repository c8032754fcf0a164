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


def differences(real, ours, path=""):
    """Leaf by leaf: a field that only one has is one difference."""
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in sorted(real.keys() | ours.keys()):
            yield from differences(real.get(key, MISSING), ours.get(key, MISSING), f"{path}.{key}" if path else key)
    elif isinstance(real, list) and isinstance(ours, list):
        for index in range(max(len(real), len(ours))):
            one, other = (side[index] if index < len(side) else MISSING for side in (real, ours))
            yield from differences(one, other, f"{path}[{index}]")
    elif real is MISSING or ours is MISSING or type(real) is not type(ours) or real != ours:
        yield Difference(path, real, ours)


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
