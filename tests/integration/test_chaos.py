"""The parts of chaos: the list of faults, the relays on real sockets, and invariants that a made-up history breaks."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sellergate_devstack.processes.ports import LOOPBACK

from chaos.faults import DATA_KINDS, LINKS, PROCESSES, Fault, Scenario, pairs, scenarios, singles
from chaos.history import Grant, History, Operation
from chaos.invariants import Known, Seen, check
from chaos.load import problem_of
from chaos.relays import KINDS, Relays
from chaos.report import Document
from chaos.run import choose
from chaos.scenario import Result
from chaos.sellers import Account
from chaos.soak import Figures, judge
from tests.e2e.sellers import Seller
from tests.paths import ROOT

PATIENCE_SECONDS = 20.0
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def test_there_are_enough_faults_and_the_page_names_them() -> None:
    page = (ROOT / "docs" / "chaos.md").read_text()
    assert len(singles()) >= 90
    assert len(pairs()) >= 40
    assert len({one.name for one in scenarios()}) == len(scenarios())
    wanted = {*LINKS, *KINDS, *PROCESSES, *DATA_KINDS, *(one.name for one in pairs())}
    assert {name for name in wanted if f"`{name}`" not in page} == set()
    assert {fault.group for one in pairs() for fault in one.faults} == {one.faults[0].group for one in singles()}


def test_scenarios_are_chosen_by_name_word_or_number() -> None:
    assert [one.name for one in choose(["token-0 kill"], 0, 1)] == ["token-0 kill"]
    assert {one.topology for one in choose(["kill"], 0, 1)} == {"direct", "sentinel", "cluster"}
    assert choose([], 8, 1) == choose([], 8, 1)
    assert len(choose([], 8, 1)) == 8
    with pytest.raises(ValueError, match="no scenario"):
        choose(["nothing"], 0, 1)


def test_an_interrupted_run_keeps_its_results_and_a_repeat_says_what_broke_before(tmp_path: Path) -> None:
    file, good = tmp_path / "dist" / "chaos.json", Result("a", "link reset", 1.0, 0, 9, 10, {}, 1, 0, 0)
    written = Document.read(1, file)
    for result in (good, Result.broken("b", "quota: too many")):
        written.add(result)
        written.write(file)
    again = Document.read(1, file)
    assert (again.is_good("a"), again.is_good("b"), again.is_good("c")) == (True, False, False)
    again.add(Result("b", "link reset", 2.0, 0, 9, 10, {}, 1, 0, 0))
    again.write(file)
    last = Document.read(1, file)
    assert last.is_good("b")
    assert last.repeated == {"b": ["quota: too many"]}


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        (503, {}, {"reason": "DEPENDENCY_UNAVAILABLE", "detail": "d"}, "DEPENDENCY_UNAVAILABLE"),
        (403, {"x-amzn-RequestId": "r"}, {"errors": [{"code": "Unauthorized"}]}, "AMAZON_403"),
        (503, {"x-amzn-RequestId": "r"}, "<html>", "AMAZON_503"),
        (403, {}, {"errors": [{"code": "Unauthorized"}]}, "UNTYPED"),
        (502, {}, "<html>", "UNTYPED"),
    ],
)
def test_a_response_without_a_reason_is_a_bug_unless_amazon_sent_it(
    status: int, headers: dict[str, str], body: object, reason: str
) -> None:
    assert problem_of(httpx.Response(status, headers=headers, json=body))[0] == reason


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[Relays, Callable[[], Awaitable[Connection]]]]:
    """Run a server that echoes, behind a relay; yield the relays, and a function that connects."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    relays, writers = Relays(), list[asyncio.StreamWriter]()
    port = relays.add("a->b", server.sockets[0].getsockname()[1])

    async def connect() -> Connection:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writers.append(writer)
        return reader, writer

    try:
        yield relays, connect
    finally:
        for writer in writers:
            writer.transport.abort()
            writer.close()
        relays.close()
        server.close()


async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float = PATIENCE_SECONDS) -> bool:
    """Return whether a byte comes back."""
    try:
        writer.write(b"x")
        async with asyncio.timeout(seconds):
            return await reader.read(1) == b"x"
    except (OSError, TimeoutError):
        return False


@pytest.mark.parametrize("kind", KINDS)
async def test_a_relay_does_what_its_fault_says(kind: str) -> None:
    async with echo() as (relays, connect):
        before = await connect()
        assert await echoed(*before)
        relays.begin("a->b", kind)
        passes = kind in ("delay", "slow")
        assert await echoed(*before, PATIENCE_SECONDS if passes else 0.1) is passes
        if kind == "half-open":
            assert await echoed(*await connect())
        if kind == "refuse":
            with pytest.raises(ConnectionRefusedError):
                await connect()
        relays.end("a->b")
        assert await echoed(*await connect())
        if kind == "blackhole":
            assert await before[0].read(1) == b"x"  # what was sent arrives at the end
        elif kind == "half-open":
            assert not await echoed(*before, 0.1)


def seen(*operations: Operation, exchanges: int = 1, executions: tuple[str, ...] = (), kind: str = "reset") -> Seen:
    """Return a scenario of one account with two grants; the second was acknowledged at 100 s."""
    account = Account(0, Seller.made(), "a", [Grant(1, "g1", 0, 1.0), Grant(2, "g2", 99, 100.0)], version=4)
    seller = account.seller.seller_id
    made = [{"at": 101.0, "seller": seller, "grant": "g2", "token": "t2"}] * exchanges
    done = [
        {"at": 106.0, "operation": "o", "seller": seller, "grant": "g2", "query": key, "body": "-"}
        for key in executions
    ]
    history = History(list(operations), {0: 1})
    scenario = Scenario((Fault("gateway->token", kind),))
    return Seen(scenario, history, [account], {"exchanges": made, "executions": done}, 0, {0: 5}, 90.0)


def operation(outcome: str = "OK", **more: object) -> Operation:
    given: dict[str, object] = {"began": 106.0, "ended": 107.0, "key": "", "writes": True, **more}
    return Operation("write", 0, seconds=8.0, outcome=outcome, **given)  # type: ignore[arg-type]


def broken(given: Seen, known: Known | None = None) -> set[str]:
    return {one.invariant for one in check(given, known or Known({"t1": "g1"}))}


def test_a_good_history_breaks_nothing() -> None:
    good = (operation(key="k"), operation("AMAZON_OUTCOME_UNKNOWN", key="l"), operation(token="t2"))
    assert broken(seen(*good, executions=("k", "l"))) == set()


def test_each_invariant_is_broken_by_what_it_forbids() -> None:
    assert broken(seen(exchanges=2)) == {"exchange"}
    assert broken(seen(), Known(exchanged={"g2"})) == {"exchange"}
    assert broken(seen(operation(token="t1"))) == {"revision"}
    assert broken(seen(operation(token="t1", began=104.0))) == set()
    assert broken(seen(operation(token="unknown"))) == {"owner"}
    assert broken(seen(operation(key="k"))) == {"outcome"}
    assert broken(seen(operation(key="k"), executions=("k", "k"))) == {"once"}
    assert broken(seen(operation("AMAZON_UNAVAILABLE", key="k"), executions=("k",))) == {"outcome"}
    assert broken(seen(operation("INTERNAL"))) == {"error"}
    assert broken(seen(operation(ended=117.0))) == {"deadline"}
    assert broken(seen(operation("DEADLINE_EXCEEDED", began=80.0, ended=88.0))) == {"quiet"}
    late = seen(operation(ended=117.0))
    late.history.delays.append((107.0, 5.0))
    assert broken(late) == set()
    throttled = seen()
    throttled.throttled = 4
    assert broken(throttled) == {"quota"}
    lost = seen()
    lost.history.lost.append("32 exchanges ran at once before the storm, and 18 after it")
    assert broken(lost) == {"capacity"}
    twice = seen()
    twice.versions = {0: 6}
    assert broken(twice) == {"once"}


def test_a_second_exchange_is_explained_only_by_a_machine_that_was_too_busy_at_that_time() -> None:
    def delayed(*delays: tuple[float, float], exchanges: int = 2) -> Seen:
        given = seen(exchanges=exchanges)
        given.history.delays.extend(delays)
        return given

    assert broken(delayed((102.0, 0.4))) == set()
    assert broken(delayed((101.5, 0.2), (101.75, 0.2))) == set()
    assert broken(delayed((102.0, 0.4), exchanges=3)) == {"exchange"}
    assert broken(delayed((90.0, 9.0), (110.0, 9.0))) == {"exchange"}
    assert broken(delayed(*((97.0 + 0.25 * number, 0.05) for number in range(40)))) == {"exchange"}


def test_amazons_refusal_of_a_signature_is_never_explained() -> None:
    refused = seen(operation("AMAZON_DENIED"))
    refused.scenario = Scenario((Fault("iam->redis", "reset"),))
    assert broken(refused) == {"error"}


async def test_the_lateness_of_relays_is_that_of_their_loop() -> None:
    async with echo() as (relays, _):
        relays.lateness()
        relays._loop.call_soon_threadsafe(time.sleep, 0.3)
        await asyncio.sleep(0.5)
        assert relays.lateness() > 0.2


def test_growth_is_that_of_the_line_through_the_later_samples() -> None:
    flat = Figures([float(at) for at in range(100)], [50.0 if at < 30 else 100.0 for at in range(100)])
    rising = Figures([float(at) for at in range(100)], [float(at) for at in range(100)])
    assert flat.growth(33.0)[0] == pytest.approx(0.0)
    assert rising.growth(33.0)[0] == pytest.approx(66.0)
    step = Figures([float(at) for at in range(100)], [50.0 if at < 80 else 100.0 for at in range(100)])
    assert step.growth(33.0)[0] > 40.0
    rows, grown = judge({"token-0": {"memory": rising, "threads": flat, "sockets": step}}, 99.0)
    assert len(rows) == 3
    assert [row.split()[:2] for row in grown] == [["token-0", "memory"]]
