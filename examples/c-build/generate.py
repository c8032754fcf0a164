#!/usr/bin/env python3
"""Makes a C program of many files, and how to build it: a flow, a Makefile, a build.ninja, all of the same work.

    examples/c-build/generate.py DIR [UNITS]      300 units if not said otherwise
"""

import pathlib
import sys

UNIT = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common.h"

struct row_{n} {{ char name[32]; long value; struct row_{n} *next; }};

static struct row_{n} *rows_{n}(long count) {{
    struct row_{n} *first = 0;
    for (long at = 0; at < count; at++) {{
        struct row_{n} *row = malloc(sizeof *row);
        snprintf(row->name, sizeof row->name, "row %ld of {n}", at);
        row->value = at * {n} % 97;
        row->next = first;
        first = row;
    }}
    return first;
}}

long unit_{n}(long count) {{
    long sum = 0;
    struct row_{n} *row = rows_{n}(count);
    while (row) {{
        struct row_{n} *next = row->next;
        sum += row->value + (long)strlen(row->name);
        free(row);
        row = next;
    }}
    return mix(sum, {n});
}}
"""

COMMON = """\
#ifndef COMMON_H
#define COMMON_H
static inline long mix(long a, long b) { return (a ^ (b << 3)) & 0xffff; }
#endif
"""

FLAGS = ["-O2", "-c"]


def sources(root: pathlib.Path, count: int) -> list[str]:
    for part in ("src", "obj"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "src/common.h").write_text(COMMON)
    names = [f"unit_{n:03}" for n in range(count)]
    for n, name in enumerate(names):
        (root / f"src/{name}.c").write_text(UNIT.format(n=n))
    declared = "\n".join(f"long unit_{n}(long);" for n in range(count))
    summed = " + ".join(f"unit_{n}(50)" for n in range(count))
    (root / "src/main.c").write_text(
        f"#include <stdio.h>\n{declared}\nint main(void) {{ printf(\"%ld\\n\", {summed}); return 0; }}\n"
    )
    return [*names, "main"]


def flow(names: list[str]) -> str:
    lines = ["name: c-build", "concurrency: 2", "tasks:"]
    for name in names:
        header = "" if name == "main" else ", src/common.h"
        lines += [
            f"  {name}:",
            f"    run: [gcc, {', '.join(FLAGS)}, src/{name}.c, -o, obj/{name}.o]",
            f"    reads: [src/{name}.c{header}]",
            f"    writes: [obj/{name}.o]",
        ]
    lines += [
        "  link:",
        f"    needs: [{', '.join(names)}]",
        "    run: gcc -o program obj/*.o",
        "    reads: [obj/*.o]",
        "    writes: [program]",
    ]
    return "\n".join(lines) + "\n"


def makefile(names: list[str]) -> str:
    objects = " ".join(f"obj/{name}.o" for name in names)
    rules = "".join(
        f"obj/{name}.o: src/{name}.c{'' if name == 'main' else ' src/common.h'}\n"
        f"\tgcc {' '.join(FLAGS)} src/{name}.c -o obj/{name}.o\n"
        for name in names
    )
    return f"program: {objects}\n\tgcc -o program obj/*.o\n{rules}"


def ninja(names: list[str]) -> str:
    rules = f"rule cc\n  command = gcc {' '.join(FLAGS)} $in -o $out\nrule ld\n  command = gcc -o $out $in\n"
    units = "".join(
        f"build obj/{name}.o: cc src/{name}.c{'' if name == 'main' else ' | src/common.h'}\n" for name in names
    )
    objects = " ".join(f"obj/{name}.o" for name in names)
    return f"{rules}{units}build program: ld {objects}\ndefault program\n"


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1])
    names = sources(root, int(sys.argv[2]) if len(sys.argv) == 3 else 300)
    (root / "flow.yaml").write_text(flow(names))
    (root / "Makefile").write_text(makefile(names))
    (root / "build.ninja").write_text(ninja(names))


main()
