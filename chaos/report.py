"""The results of a run, as a table and as a JSON file."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chaos.scenario import Result

FILE = Path("dist/chaos.json")


@dataclass
class Document:
    """The results in the JSON file. `repeated` are the broken invariants of scenarios that ran again later."""

    seed: int
    results: dict[str, Result] = field(default_factory=dict)
    repeated: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, seed: int, file: Path = FILE) -> "Document":
        """Return the results of earlier runs; none if there is no file."""
        if not file.exists():
            return cls(seed)
        found = json.loads(file.read_text())
        return cls(seed, {one["name"]: Result(**one) for one in found["results"]}, found["repeated"])

    def is_good(self, name: str) -> bool:
        """Return whether a scenario ran and broke no invariant."""
        return name in self.results and not self.results[name].violations

    def add(self, result: Result) -> None:
        """Add a result, or replace the earlier one of this scenario."""
        earlier = self.results.get(result.name)
        if earlier is not None and earlier.violations:
            self.repeated.setdefault(result.name, []).extend(earlier.violations)
        self.results[result.name] = result

    def write(self, file: Path = FILE) -> None:
        """Write the file at once, so that no reader finds half of it."""
        file.parent.mkdir(exist_ok=True)
        document = {"seed": self.seed, "results": [asdict(one) for one in self.results.values()]}
        part = file.with_suffix(".part")
        part.write_text(json.dumps({**document, "repeated": self.repeated}, indent=1) + "\n")
        part.replace(file)


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
