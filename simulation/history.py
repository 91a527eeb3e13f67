"""The history of a run: what happened, in order, as text that is the same for each run of a seed."""

from collections.abc import Callable, Iterator

# A run ends after so many violations: further ones mostly follow from the first.
MOST_VIOLATIONS = 8


class Violation(Exception):
    """A broken invariant. `invariant` is its name."""

    def __init__(self, invariant: str, words: str) -> None:
        super().__init__(f"{invariant}: {words}")
        self.invariant = invariant


class History:
    """Lines with their virtual time. `now` returns seconds since the start of the run."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = lambda: 0.0
        self.abort: Callable[[], None] = lambda: None
        self.lines: list[str] = []
        self.counts: dict[str, int] = {}
        self.violations: list[Violation] = []

    def note(self, kind: str, words: str = "") -> None:
        """Append a line and count its kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.lines.append(f"{self.now():11.6f} {kind:<12} {words}".rstrip())

    def violate(self, invariant: str, words: str) -> None:
        """Record that an invariant is broken; the run continues, so that the history shows what follows."""
        self.note("VIOLATION", f"{invariant}: {words}")
        self.violations.append(Violation(invariant, words))
        if len(self.violations) == MOST_VIOLATIONS:
            self.abort()

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)
