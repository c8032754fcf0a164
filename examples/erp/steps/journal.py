"""Before-images: how a step can take back what it wrote, byte for byte.

Before a step changes a file for the first time it calls `keep`, which puts a copy of the file (or the fact that there
is none) on top of the file's stack in `work/.journal`. An image is `open` while its step runs, `done` once the step has
succeeded and `undone` once the step has been taken back. Images are restored from the top of a stack only: when the
steps that share a file are undone in whatever order, the file gets its oldest image last.

Whoever touches a stack holds the exclusive lock on its file, or is the only writer of it. So an `open` image found on
top belongs to an attempt that died, and is restored before anything else happens.
"""

import contextlib
import os
import shutil
from pathlib import Path

WORK = Path("work")
ROOT = WORK / ".journal"
OPEN, DONE, UNDONE = "open", "done", "undone"


class Image:
    """A file's content before a step: `0002.load.bytes.done`, or `….absent.…` if there was no file."""

    def __init__(self, place):
        self.place = place
        number, self.step, self.what, self.state = place.name.split(".")
        self.number = int(number)

    def become(self, state):
        self.place = self.place.rename(self.place.with_name(f"{self.number:04}.{self.step}.{self.what}.{state}"))
        self.state = state

    def restore(self, target):
        if self.what == "absent":
            target.unlink(missing_ok=True)
        else:
            copy(self.place, target)
        target.with_name(target.name + "-journal").unlink(missing_ok=True)  # SQLite's, of a write that was cut short
        self.place.unlink()


def keep(step, path):
    """Puts the present content of `work/<path>` on its stack, for `step`."""
    target, stack = WORK / path, ROOT / path.replace("/", "|")
    settle(stack)
    stack.mkdir(parents=True, exist_ok=True)
    number = max((image.number for image in images(stack)), default=0) + 1
    what = "bytes" if target.exists() else "absent"
    image = stack / f"{number:04}.{step}.{what}.{OPEN}"
    copy(target, image) if what == "bytes" else image.touch()


def commit(step):
    """The step has succeeded."""
    for stack in stacks():
        for image in images(stack):
            if image.step == step and image.state == OPEN:
                image.become(DONE)


def abandon(step):
    """The step has failed, or was told to stop: everything is as before it."""
    for stack in stacks():
        if any(image.step == step and image.state == OPEN for image in images(stack)):
            settle(stack)


def undo(step):
    """Takes the step back. Doing it twice does no harm."""
    for stack in stacks():
        mine = [image for image in images(stack) if image.step == step]
        for image in mine:
            image.become(UNDONE)
        if mine:
            settle(stack)


def recover():
    """Takes back whatever attempts that died have left. For a step that runs alone."""
    for stack in stacks():
        settle(stack)


def forget():
    """Drops the images of earlier runs: they can no longer be taken back."""
    shutil.rmtree(ROOT, ignore_errors=True)


def settle(stack):
    """Restores from the top what is undone or was left by the dead; an empty stack goes away."""
    for image in reversed(images(stack)):
        if image.state == DONE:
            return
        image.restore(WORK / stack.name.replace("|", "/"))
    for directory in (stack, ROOT):
        with contextlib.suppress(OSError):  # Not empty: others are on it.
            directory.rmdir()


def stacks():
    return sorted(place for place in ROOT.iterdir() if place.is_dir()) if ROOT.exists() else []


def images(stack):
    """From the bottom to the top; none if another step has emptied its stack meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(map(Image, stack.iterdir()), key=lambda image: image.number)
    return []


def copy(source, target):
    """All of the content, or nothing: a copy cut short is never seen."""
    part = ROOT / f"{os.getpid()}.part"
    shutil.copyfile(source, part)
    os.replace(part, target)
