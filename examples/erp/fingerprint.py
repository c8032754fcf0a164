"""One hash over all files below work/: their names and every byte of them. Two equal hashes, two equal states.

What begins with a dot is bookkeeping and does not count: before-images, and the doors of the partner.

    python3 fingerprint.py [--list]
"""

import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def files(directory):
    """Each file's path and hash, in order."""
    for place in sorted(directory.rglob("*")):
        path = place.relative_to(directory)
        if place.is_file() and not path.parts[0].startswith("."):
            yield path.as_posix(), hashlib.sha256(place.read_bytes()).hexdigest()


def fingerprint(directory):
    return hashlib.sha256("".join(f"{digest} {path}\n" for path, digest in files(directory)).encode()).hexdigest()


if __name__ == "__main__":
    if "--list" in sys.argv:
        print("".join(f"{digest} {path}\n" for path, digest in files(HERE / "work")), end="")
    else:
        print(fingerprint(HERE / "work"))
