"""The page `docs/conformance.md`: which scenarios were compared, and what differs on purpose."""

from pathlib import Path

OPERATIONS = (
    *("success", "failure", "another attempt", "timeout", "timeout of a task", "terminate", "retry after terminate"),
    *("pause", "pause before it", "retry", "rerun", "rerun of a task", "rerun of the operator", "restart"),
    *("skip", "skip of the operator"),
)
"""The columns of the matrix; what has another name is a single case."""
PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"


def check(cells, intended, rewrite):
    """Writes the page, or says that it is not what it should be; gives how many faults that is."""
    wanted = text(cells, intended)
    if rewrite:
        PAGE.write_text(wanted)
    if PAGE.exists() and PAGE.read_text() == wanted:
        return 0
    print("DIFFERS docs/conformance.md is not up to date: compare.py page SERVER writes it")
    return 1


def text(cells, intended):
    scripts = sorted({name for name, _ in cells})
    lines = [HEAD, "| | " + " | ".join(OPERATIONS) + " |", "|---" * (len(OPERATIONS) + 1) + "|"]
    for name in scripts:
        row = [cell(cells.get((name, operation))) for operation in OPERATIONS]
        if any(row):
            lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(row) + " |")
    lines += ["", "## Single cases", "", "| | | |", "|---|---|---|"]
    for name, scenario in sorted(cells):
        if scenario not in OPERATIONS:
            lines.append(f"| {name.replace('_', ' ')} | {scenario} | {cell(cells[name, scenario])} |")
    lines += ["", "## Intended differences", "", "| | where | reason |", "|---|---|---|"]
    lines += [f"| {index + 1} | `{row['name']}` | {row['reason']} |" for index, row in enumerate(intended.rows)]
    return "\n".join(lines) + "\n"


def cell(reasons):
    if reasons is None:
        return ""
    if reasons == "differs":
        return "differs"
    return "same" if not reasons else "same but for " + ", ".join(str(reason + 1) for reason in reasons)


HEAD = """# Conformance with Conductor

Scripts of definitions and operations are replayed against Partitur, and every field of every answer is compared with
what Conductor 3.32.1 said to the same script; ids and points in time are made alike before. This page is written by
`tests/conformance/compare/compare.py page`, and the tests fail if it is not up to date.

For operators that hold others (forks, loops, cases, sub-workflows) the operations without further words are those on
a task inside. Empty: it has no meaning there, or Conductor itself never comes to an end, or it takes minutes.
"""
