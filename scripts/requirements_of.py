"""Prints the lines of a requirements file that a service, or the build, needs: requirements_of.py gateway requirements/run.txt."""

import sys
from pathlib import Path

NEEDED_BY = "    # needed by "


def lines_of(user: str, text: str) -> str:
    """Return the blocks of a file that name a user."""
    found = block = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("#"):
            continue
        block += line
        if line.startswith(NEEDED_BY):
            found += block if user in line.removeprefix(NEEDED_BY).split() else ""
            block = ""
    return found


def main(user: str, file: Path) -> None:
    """Print them, or end with a sentence when there are none."""
    found = lines_of(user, file.read_text())
    if not found:
        raise SystemExit(f"{file} names nothing that {user} needs")
    sys.stdout.write(found)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
