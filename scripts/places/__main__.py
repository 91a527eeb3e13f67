"""Prints each place that was left out of a list of CONTRIBUTING.md; the exit code is 1 when there is any."""

import sys
from pathlib import Path

from scripts.places import KINDS
from scripts.places.tree import Tree

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print what is missing, one sentence a line."""
    found = [problem for missing in KINDS.values() for problem in missing(Tree(ROOT))]
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
