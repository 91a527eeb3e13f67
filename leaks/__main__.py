"""The command line: `python -m leaks` hunts over the code and over each planted leak; the result is dist/leaks.json."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benches.results import machine
from leaks.hunting import hunted
from leaks.planting import PLANTS, plant
from tests.paths import ROOT

RESULT = ROOT / "dist" / "leaks.json"


def main() -> int:
    """Return 0 if nothing leaks and each planted leak is found."""
    parser = argparse.ArgumentParser(prog="make leaks", description="Hunt for leaked secrets.")
    parser.add_argument("plants", nargs="*", type=Path, help="patches (default: all of leaks/plants)")
    parser.add_argument("--no-plants", action="store_true", help="hunt over the code as it is, only")
    options = parser.parse_args()
    found = hunted()
    for leak in found.leaks:
        print(f"LEAK: {leak.kind} ({leak.begins}…) is in {leak.place}")
    sent, searched = sum(found.canaries.values()), sum(found.places.values())
    print(
        f"{sent} canaries on {len(found.paths)} paths; {len(found.places)} places, {searched} bytes; {found.seconds:.0f} s"
    )
    patches = [] if options.no_plants else options.plants or sorted(PLANTS.glob("*.patch"))
    planted = []
    for patch in patches:
        planted.append(plant(patch))
        print(f"{planted[-1].name:24} {', '.join(planted[-1].places) or 'NOT FOUND'}", flush=True)
    document = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), **found.document()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document | {"plants": [one.document() for one in planted]}, indent=1) + "\n")
    return int(bool(found.leaks) or not all(one.places for one in planted))


if __name__ == "__main__":
    sys.exit(main())
