"""docs/performance.md promises what `make bench` enforces, and its generator writes the same page from the same results."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benches.bounds import BOUNDS, BY_NAME
from benches.measuring import CALLER, Sample, measurement_of
from benches.report import line_of
from benches.servers.timed_gateway import LAYERS, Clock, Steps, find
from benches.servers.upstream import response, size_of
from benches.table import BENCHES
from scripts.performance.page import page
from scripts.performance.plots import plots
from scripts.performance.svg import bars, lines
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "performance.md").read_text()
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (at most|at least) ([\d.]+) \| (.*?) \| (.*?) \|$", re.MULTILINE)


def found(rate: float, **cpu: float) -> dict[str, Any]:
    return {"rate": rate, "p50": 1.5, "p99": 4.0, "cpu": {CALLER: 0.1, **cpu}, "calls": 1000}


def documents() -> dict[str, dict[str, Any]]:
    """Return results of three benches; in one of them another library is cheaper."""
    machine = {"cores": 2, "cpu": "A CPU", "system": "Linux 6", "python": "3.13.1", "versions": {"grpcio": "1.85.1"}}
    common = {"quick": False, "machine": machine, "series": {}, "not_run": []}
    tables = {
        "peers": {"one caller": {"Sellergate's client": found(400, gateway=0.9), "another": found(900)}},
        "callers": {f"{n} callers": {"Call": found(10.0 * n, gateway=0.4)} for n in (1, 8)},
    }
    return {
        "gateway": {**common, "tables": {}, "figures": {"gateway.shared": 0.7}},
        **{name: {**common, "tables": each, "figures": {}} for name, each in tables.items()},
    }


def test_the_page_promises_what_is_enforced() -> None:
    rows = {words: (limit, float(promised)) for words, _, limit, promised, _, _ in ROW.findall(PAGE)}
    assert rows == {one.words: ("at most" if one.at_most else "at least", one.promised) for one in BOUNDS}


def test_a_goal_is_at_least_as_strict_as_its_promise() -> None:
    for one in BOUNDS:
        assert one.goal is None or (one.goal <= one.promised if one.at_most else one.goal >= one.promised), one.name
    assert len(BY_NAME) == len(BOUNDS)


def test_the_page_tells_where_another_library_is_cheaper() -> None:
    text = page(documents(), {})
    assert "another (one caller) spends less: 0.10 ms" in text
    assert "another (one caller) makes more calls a second than Sellergate's client: 900, compared with 400." in text
    assert (
        "| Call, quota in Redis: calls/s of a bare pass-through's | 0.70 | at least 0.42 | at least 0.65 | yes |"
        in text
    )
    assert "not measured" in text
    assert "busy" not in text
    beside = page(documents(), {}, {"gateway": {**documents()["gateway"], "figures": {"gateway.shared": 0.63}}})
    assert "| Call, quota in Redis: calls/s of a bare pass-through's | 0.70 | 0.63 | 0.90 |" in beside


def test_plots_are_well_formed_and_the_same_each_time() -> None:
    first, again = list(plots(documents())), list(plots(documents()))
    assert first == again
    assert [name for _, name, _ in first] == ["callers.svg", "peers.svg", "peers1.svg"]
    drawn = [svg for _, _, svg in first] + [
        bars("a < b", {"one": 1.0, "none": 0.0}, "µs", waterfall=True),
        lines("two", ["1", "10"], {"a": [1.0, 100.0], "b": [2.0, 0.0]}, "ms", log=True),
    ]
    for svg in drawn:
        assert ET.fromstring(svg).tag.endswith("svg")


@pytest.mark.parametrize("place", [place for places in LAYERS.values() for place in places])
def test_each_layer_of_the_waterfall_exists(place: str) -> None:
    assert callable(find(place)[2])


@pytest.mark.parametrize("name", BENCHES)
def test_each_bench_of_the_table_exists(name: str) -> None:
    assert callable(BENCHES[name].measure)


def test_a_layer_that_was_renamed_is_named() -> None:
    with pytest.raises(LookupError, match=r"Interceptors\.renamed"):
        find("sellergate_common.rpc.interceptors:Interceptors.renamed")


async def test_steps_are_charged_to_the_innermost_layer() -> None:
    clock, (outer, inner, *_) = Clock(), LAYERS

    async def inside() -> str:
        return "result"

    async def outside() -> str:
        return await Steps(inside(), inner, clock)

    assert await Steps(outside(), outer, clock) == "result"
    assert clock.steps[outer] == clock.steps[inner] == 1
    assert min(clock.spent[outer], clock.spent[inner]) > 0


def test_a_measurement_counts_the_costs_of_all_loads() -> None:
    samples = [Sample(1.0, [0.010] * 99 + [0.5], {"gateway": 0.2}), Sample(1.0, [0.010] * 300, {"gateway": 0.2})]
    measured = measurement_of(samples)
    assert (measured.rate, measured.p50, measured.calls) == (200.0, 10.0, 400)
    assert measured.cost("gateway") == pytest.approx(1.0)


def test_a_broken_promise_is_marked() -> None:
    bound = BY_NAME["gateway.shared"]
    assert line_of(bound, 0.70).endswith("met")
    assert line_of(bound, 0.50).endswith("missed")
    assert line_of(bound, 0.40).endswith("missed  BROKEN")


def test_the_upstream_sends_the_size_that_the_path_names() -> None:
    assert size_of(b"GET /catalog/2022-04-01/items/S1000?marketplaceIds=X HTTP/1.1") == 1000
    assert size_of(b"GET /catalog/2022-04-01/items/B01 HTTP/1.1") == 0
    assert len(response(1000).partition(b"\r\n\r\n")[2]) == 1000
