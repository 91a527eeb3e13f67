"""The results of a run, as a table and as a JSON file."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from chaos.scenario import Result

FILE = Path("dist/chaos.json")


def line_of(result: Result) -> str:
    """Return the row of a scenario."""
    failed = sum(result.failed.values())
    verdict = "ok" if not result.violations else f"{len(result.violations)} BROKEN"
    return (
        f"{result.name:48} {result.recovery:6.1f} s {result.operations:6d} {failed:6d} {result.exchanges:5d}"
        f" {result.throttled:5d} {result.late:6.1f}  {verdict}"
    )


def heading() -> str:
    """Return the names of the columns."""
    return f"{'fault':48} {'recovery':>8} {'calls':>6} {'failed':>6} {'exch.':>5} {'429':>5} {'waited':>6}"


def groups(results: Iterable[Result]) -> list[tuple[str, int, float, str]]:
    """Return for each kind of fault the number of scenarios, the longest recovery in seconds, and where that was."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.group, []).append(result)
    slowest = {group: max(ones, key=lambda one: one.recovery) for group, ones in found.items()}
    return [(group, len(found[group]), worst.recovery, worst.name) for group, worst in sorted(slowest.items())]


def print_summary(results: list[Result]) -> None:
    """Print the longest recovery of each kind, and every broken invariant."""
    print(f"\n{'kind':28} {'runs':>4} {'longest recovery':>17}")
    for group, count, recovery, name in groups(results):
        print(f"{group:28} {count:4d} {recovery:15.1f} s  {name}")
    broken = [result for result in results if result.violations]
    for result in broken:
        print(f"\n{result.name}")
        print(*(f"  {words}" for words in result.violations), sep="\n")
    seconds = sum(result.seconds for result in results)
    print(f"\n{len(results)} scenarios in {seconds / 60:.0f} minutes; {len(broken)} broke an invariant")


def write(results: list[Result], seed: int, file: Path = FILE) -> None:
    """Write the results to a JSON file."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"seed": seed, "results": [asdict(one) for one in results]}, indent=1) + "\n")
