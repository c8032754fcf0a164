"""The page `docs/conformance.md`: which scenarios were compared, and what differs on purpose."""

from pathlib import Path

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
    scenarios = list(dict.fromkeys(scenario for _, scenario in sorted(cells, key=lambda cell: order(cell[1]))))
    scripts = sorted({name for name, _ in cells})
    lines = [HEAD, "| | " + " | ".join(scenarios) + " |", "|---" * (len(scenarios) + 1) + "|"]
    for name in scripts:
        row = [cell(cells.get((name, scenario))) for scenario in scenarios]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(row) + " |")
    lines += ["", "## Intended differences", "", "| | where | reason |", "|---|---|---|"]
    lines += [f"| {index + 1} | `{row['name']}` | {row['reason']} |" for index, row in enumerate(intended.rows)]
    return "\n".join(lines) + "\n"


def order(scenario):
    first = ("success", "failure", "retry")
    return (first.index(scenario) if scenario in first else len(first), scenario)


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
"""
