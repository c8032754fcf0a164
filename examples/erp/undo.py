"""Takes a step back: every file that it wrote is again what it was before, byte for byte.

    python3 undo.py STEP
"""

import sys

from steps import journal


def main(step):
    journal.undo(step)
    if step == "health":  # The first step is undone last, when no other lives: what the killed have left goes too.
        journal.recover()


if __name__ == "__main__":
    main(sys.argv[1])
