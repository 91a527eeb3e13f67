"""Results as lines of text, and the comparison of figures with their bounds."""

from collections.abc import Iterator

from benches.bounds import BOUNDS, Bound
from benches.results import Result, folder_of, read


def describe(result: Result) -> Iterator[str]:
    """Yield the lines of a bench's tables."""
    for title, table in result.tables.items():
        yield f"  {title:44}{'calls/s':>9}{'p50 ms':>9}{'p99 ms':>9}   CPU ms for one call"
        for name, found in table.items():
            cpu = "  ".join(f"{process} {ms:.3f}" for process, ms in found.cpu.items())
            yield f"    {name:42}{found.rate:9.0f}{found.p50:9.2f}{found.p99:9.2f}   {cpu}"
    for title, values in result.series.items():
        yield f"  {title}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    yield from (f"  {line}" for line in result.not_run)


def judge(names: list[str], *, summary: bool = False, busy: bool = False) -> bool:
    """Print the figures of these benches beside their bounds; return whether all promises are kept (on an idle machine)."""
    documents = read(folder_of(busy))
    figures = {key: figure for name in names for key, figure in documents[name]["figures"].items()}
    if summary:
        print(f"\n{'figure':78}{'measured':>9}{'promised':>10}{'goal':>8}")
    judged = [bound for bound in BOUNDS if bound.name in figures]
    for bound in judged:
        print(line_of(bound, figures[bound.name]))
    return busy or all(bound.is_kept(figures[bound.name]) for bound in judged)


def line_of(bound: Bound, figure: float) -> str:
    """Return the line of one figure: whether its goal is met, and whether its promise is broken."""
    goal = "" if bound.goal is None else f"{bound.goal:.2f}"
    words = "" if bound.goal is None else "met" if bound.is_met(figure) else "missed"
    broken = "" if bound.is_kept(figure) else "  BROKEN"
    return f"{bound.words:78}{figure:9.2f}{bound.promised:10.2f}{goal:>8}  {words}{broken}"
