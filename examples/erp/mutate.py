"""The flow without one of its `needs` or locks: each is necessary, and taking it away must be noticed.

    python3 mutate.py TASK KEY INDEX > broken.yaml        (for example: load locks 0)

`mutations.json` lists them all, with who notices: `check` (before the run: a race, or a reference to a task that is not
waited for) or `verify` (the run or the verification fails: the partner had to refuse; `env` makes it slow enough that
this cannot be missed). Reads the flow as lines, not as YAML, and so leans on its layout: one entry of a list on a line.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def tasks(text):
    """Yields task, key, index, line number, text of each entry of each list in a task."""
    task = key = None
    index = 0
    for number, line in enumerate(text.splitlines()):
        if found := re.fullmatch(r"  (\w+):", line):
            task, key = found[1], None
        elif found := re.fullmatch(r"    (\w+):.*", line):
            key, index = found[1], 0
        elif key and (found := re.fullmatch(r"      - (.*)", line)):
            yield task, key, index, number, found[1]
            index += 1


def without(text, task, key, index):
    """The text without the entry; a list that it leaves empty goes too."""
    entries = [entry for entry in tasks(text) if entry[:2] == (task, key)]
    number = next(entry[3] for entry in entries if entry[2] == index)
    lines = text.splitlines(keepends=True)
    del lines[number - 1 if len(entries) == 1 else number:number + 1]
    return "".join(lines)


if __name__ == "__main__":
    flow = (HERE / "flow.yaml").read_text("utf-8")
    print(without(flow, sys.argv[1], sys.argv[2], int(sys.argv[3])), end="")
