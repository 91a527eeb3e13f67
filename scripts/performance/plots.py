"""The plots of the page, each from the document of one bench."""

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.performance.svg import bars, lines

Documents = Mapping[str, Mapping[str, Any]]


def plots(documents: Documents) -> Iterator[tuple[str, str, str]]:
    """Yield the bench, the file name and the SVG of each plot, as far as its bench ran."""
    for bench, draw in _DRAWN.items():
        if bench in documents and documents[bench]["tables"]:
            for number, svg in enumerate(draw(documents[bench])):
                yield bench, f"{bench}{number or ''}.svg", svg


def _rates(title: str) -> Any:
    def draw(document: Mapping[str, Any]) -> Iterator[str]:
        for name, table in document["tables"].items():
            yield bars(f"{title}, {name}", {subject: found["rate"] for subject, found in table.items()}, "calls/s")

    return draw


def _layers(document: Mapping[str, Any]) -> Iterator[str]:
    (values,) = document["series"].values()
    yield bars("A warm call in the gateway", values, "µs", waterfall=True)


def _over_tables(title: str, field: str, unit: str, *, log: bool = False) -> Any:
    def draw(document: Mapping[str, Any]) -> Iterator[str]:
        tables = document["tables"]
        subjects = next(iter(tables.values()))
        series = {name: [table[name][field] for table in tables.values()] for name in subjects}
        yield lines(title, [name.split()[0] for name in tables], series, unit, log=log)

    return draw


def _growth(document: Mapping[str, Any]) -> Iterator[str]:
    tables = document["tables"]
    subjects = next(iter(tables.values()))
    series = {name: [_services(table[name]) for table in tables.values()] for name in subjects}
    yield lines(
        "CPU of all services for a call, by accounts in the database", [n.split()[0] for n in tables], series, "ms"
    )


def _peers(document: Mapping[str, Any]) -> Iterator[str]:
    for name, table in document["tables"].items():
        yield bars(f"Calls a second, {name}", {subject: found["rate"] for subject, found in table.items()}, "calls/s")
        yield bars(
            f"CPU for a call, {name}", {subject: sum(found["cpu"].values()) for subject, found in table.items()}, "ms"
        )


def _first_calls(document: Mapping[str, Any]) -> Iterator[str]:
    for title, table in document["tables"].items():
        if "first call of a seller" in table:
            yield bars(f"CPU of a seller's first call, {title}", table["first call of a seller"]["cpu"], "ms")


def _services(found: Mapping[str, Any]) -> float:
    return sum(milliseconds for name, milliseconds in found["cpu"].items() if name != "caller")


_DRAWN = {
    "gateway": _rates("Calls a second"),
    "streams": _rates("Calls a second"),
    "layers": _layers,
    "callers": _over_tables("Calls a second by number of callers", "rate", "calls/s"),
    "bodies": _over_tables("Median time by bytes of the response", "p50", "ms", log=True),
    "sellers": _first_calls,
    "cold": _first_calls,
    "growth": _growth,
    "peers": _peers,
}
