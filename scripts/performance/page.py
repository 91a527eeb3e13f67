"""The text of docs/performance.md."""

from collections.abc import Iterator, Mapping
from typing import Any

from benches.bounds import BOUNDS, Bound
from benches.table import BENCHES
from scripts.performance.plots import Documents
from scripts.performance.svg import short

HEAD = """# Performance

This page is generated: `make bench` measures on one machine, and `make performance` writes the page from its results. Ratios within
one run say more than calls per second, which depend on the machine. Your machine differs: measure again.

- A **bare pass-through** is a gRPC server of the same library with the same TLS. It fetches the same response from the same
  upstream and does nothing else.
- An **echo** is the CPU time of a bare gRPC server with the same TLS for a unary call, to which it always responds with the same
  bytes. Costs are counted in echoes, so that machines can be compared.
- Each row has the CPU milliseconds that each process spent on one call, the calling program included. The upstream, PostgreSQL
  and the simulated Amazon are not counted.
- A **promise** is enforced: `make bench` fails where a figure breaks it. A **goal** is aimed at, and only reported.
"""


def page(documents: Documents, plotted: Mapping[str, list[str]], busy: Documents | None = None) -> str:
    """Return the page; `plotted` are the files of each bench's plots, `busy` the results beside busy processes."""
    parts = [HEAD, *_machine(documents), *_bounds(documents), *_busy(_figures(documents), _figures(busy or {}))]
    for name, bench in BENCHES.items():
        if name in documents:
            parts += [f"## {bench.title}\n", *_section(documents[name], plotted.get(name, []))]
            parts += _cheaper(documents[name]) if name == "peers" else []
    return "\n".join(parts)


def _machine(documents: Documents) -> Iterator[str]:
    if not documents:
        return
    machine = next(iter(documents.values()))["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    yield (
        f"Measured on {machine['cores']} cores ({machine['cpu']}) that ran everything, the load included, with {machine['system']},"
        f" Python {machine['python']}, {versions}.\n"
    )
    if any(one["quick"] for one in documents.values()):
        yield "Some figures are those of `make bench-quick`, which measures less and is less certain.\n"


def _figures(documents: Documents) -> dict[str, float]:
    return {name: figure for one in documents.values() for name, figure in one["figures"].items()}


def _busy(idle: Mapping[str, float], busy: Mapping[str, float]) -> Iterator[str]:
    """Yield the share of each figure that remains where a busy process on each core halves its speed."""
    if not busy:
        return
    yield "## Beside a busy process on each core\n"
    yield "Every process gets about half of its core (`python -m benches --busy`).\n"
    yield "| figure | idle | beside busy processes | ratio |\n|---|---|---|---|"
    for bound in BOUNDS:
        if bound.name in busy and bound.name in idle:
            figure, beside = idle[bound.name], busy[bound.name]
            yield f"| {bound.words} | {figure:.2f} | {beside:.2f} | {beside / figure:.2f} |"
    yield ""


def _bounds(documents: Documents) -> Iterator[str]:
    figures = _figures(documents)
    yield "## Promises and goals\n"
    yield "| figure | measured | promised | goal | goal met |\n|---|---|---|---|---|"
    for bound in BOUNDS:
        yield _row(bound, figures.get(bound.name))
    yield ""


def _row(bound: Bound, figure: float | None) -> str:
    limit = "at most" if bound.at_most else "at least"
    goal = "" if bound.goal is None else f"{limit} {bound.goal:.2f}"
    met = "" if bound.goal is None or figure is None else "yes" if bound.is_met(figure) else "**no**"
    broken = "" if figure is None or bound.is_kept(figure) else " **(broken)**"
    measured = "not measured" if figure is None else f"{figure:.2f}{broken}"
    return f"| {bound.words} | {measured} | {limit} {bound.promised:.2f} | {goal} | {met} |"


def _section(document: Mapping[str, Any], files: list[str]) -> Iterator[str]:
    for file in files:
        yield f"![{file.removesuffix('.svg')}](performance/{file})\n"
    for title, table in document["tables"].items():
        yield f"| {title} | calls/s | p50 ms | p99 ms | CPU ms for one call |\n|---|---|---|---|---|"
        for name, found in table.items():
            cpu = ", ".join(f"{process} {short(spent)}" for process, spent in found["cpu"].items())
            yield f"| {name} | {short(found['rate'])} | {short(found['p50'])} | {short(found['p99'])} | {cpu} |"
        yield ""
    for title, values in document["series"].items():
        yield f"| {title} | |\n|---|---|"
        yield from (f"| {name} | {short(value)} |" for name, value in values.items())
        yield ""
    yield from (f"{line}\n" for line in document["not_run"])


def _cheaper(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each peer that spends less CPU time, or makes more calls, than Sellergate beside it."""
    for title, table in document["tables"].items():
        ours = {name: found for name, found in table.items() if name.startswith("Sellergate")}
        for name, found in table.items():
            if not ours or name in ours:
                continue
            yield from _sentences(f"{name} ({title})", found, ours)


def _sentences(peer: str, found: Mapping[str, Any], ours: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    cheapest = min(ours, key=lambda one: _cpu(ours[one]))
    fastest = max(ours, key=lambda one: float(ours[one]["rate"]))
    spent, least = _cpu(found), _cpu(ours[cheapest])
    if spent < least:
        yield (
            f"{peer} spends less: {short(spent)} ms of CPU for a call, where {cheapest} with the services behind it spends"
            f" {short(least)} ms. It calls without TLS here, and each program has its own token and its own view of the quota.\n"
        )
    rate, most = found["rate"], ours[fastest]["rate"]
    if rate > most:
        yield f"{peer} makes more calls a second than {fastest}: {short(rate)}, compared with {short(most)}.\n"


def _cpu(found: Mapping[str, Any]) -> float:
    return float(sum(found["cpu"].values()))
