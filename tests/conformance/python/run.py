"""Runs the programs against the server that CONDUCTOR_SERVER_URL names: all, or those whose names are given.

    run.py [PROGRAM[.CASE-PREFIX]…]

Each program has a process of its own, several at a time, and each case prints one line. Fails if one fails, and if one
succeeds that is marked as wrong today; with CONFORMANCE_REAL=1, for the real server, these marks count for nothing.
"""

import importlib.util
import logging
import multiprocessing
import os
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lib

AT_A_TIME = 8
PROGRAMS = Path(__file__).parent / "programs"


def main(wanted):
    logging.disable(logging.CRITICAL)
    context = multiprocessing.get_context("fork")
    chosen = [(path, prefix) for path in sorted(PROGRAMS.glob("*.py")) for prefix in prefixes(path.stem, wanted)]
    if not chosen:
        raise SystemExit(f"no program is named {' or '.join(wanted)}")
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        failed = sum(pool.map(lambda one: apart(context, *one), chosen))
    raise SystemExit(f"{failed} failed" if failed else 0)


def prefixes(program, wanted):
    """With which the names of the wanted cases of this program begin."""
    if not wanted:
        return [""]
    pairs = [name.partition(".") for name in wanted]
    return [case for name, _, case in pairs if name == program]


def apart(context, path, prefix):
    """Runs a program in a process of its own; gives how many of its cases failed."""
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=run_program, args=(path, prefix, writer))
    process.start()
    writer.close()
    failed = None
    while failed is None:
        try:
            said = reader.recv()
        except EOFError:
            said = f"FAIL         {path.stem}: ended before its end"
            failed = 1
        if isinstance(said, int):
            failed = said
        else:
            print(said, flush=True)
    process.join()
    return failed


def run_program(path, prefix, writer):
    """Sends a line for each case, and last how many have failed."""
    try:
        load(path)
    except Exception as error:
        writer.send(f"FAIL         {path.stem}: cannot be loaded\n{where(path.stem, error)}")
        writer.send(1)
        return
    chosen = [case for case in lib.CASES if case.__name__.startswith(prefix) and is_there(case)]
    writer.send(sum(run_case(path.stem, case, writer) for case in chosen))


def load(path):
    specification = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
    program = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = program
    specification.loader.exec_module(program)


def run_case(program, case, writer):
    name, began = f"{program}: {case.__name__.replace('_', ' ')}", time.monotonic()
    try:
        case()
    except Exception as error:  # whatever a client raises is a failed case, and the others go on
        if known := wrong_today(case):
            writer.send(f"ok   {time.monotonic() - began:5.1f} s  {name} (FIXME: {known})")
            return 0
        writer.send(f"FAIL {time.monotonic() - began:5.1f} s  {name}\n{where(program, error)}")
        return 1
    if wrong_today(case):
        writer.send(f"FAIL {time.monotonic() - began:5.1f} s  {name}\n  it is right now: take its `fixme` away")
        return 1
    writer.send(f"ok   {time.monotonic() - began:5.1f} s  {name}")
    return 0


def is_there(case):
    return "CONFORMANCE_REAL" not in os.environ or not getattr(case, "beyond", False)


def wrong_today(case):
    return None if "CONFORMANCE_REAL" in os.environ else getattr(case, "fixme", None)


def where(program, error):
    """The lines of the program that led to it, and what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"  {program}.py:{frame.lineno}: {frame.line}" for frame in frames if frame.filename.startswith(str(PROGRAMS))]
    return "\n".join([*lines, *traceback.format_exception_only(error)])


if __name__ == "__main__":
    main(sys.argv[1:])
