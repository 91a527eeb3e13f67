"""Fetches within a process: shared, and bounded in time whatever a fetch does, in virtual time."""

import asyncio

import pytest
from sellergate_common.errors import OutOfTime
from sellergate_common.flights.local_flight import OVERDUE_SECONDS, LocalFlight
from structlog.testing import capture_logs

from tests.fakes.virtual_time import run_in_virtual_time


async def stubborn() -> str:
    """Ignore every cancellation for a minute, like code that catches too much."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 60
    while loop.time() < end:
        try:
            await asyncio.sleep(end - loop.time())
        except asyncio.CancelledError:
            continue
    return "late"


async def hanging() -> str:
    await asyncio.Event().wait()
    return "never"


async def quick() -> str:
    return "value"


@pytest.mark.parametrize("fetch", [stubborn, hanging])
def test_an_overdue_fetch_frees_its_key_and_its_callers(fetch: object) -> None:
    async def main() -> None:
        flight: LocalFlight[str] = LocalFlight(5)
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiters = [asyncio.create_task(flight.get("a", fetch)) for _ in range(3)]  # type: ignore[arg-type]
        ended = await asyncio.gather(*waiters, return_exceptions=True)
        assert {type(error) for error in ended} == {OutOfTime}
        assert loop.time() - began == 5
        await asyncio.sleep(OVERDUE_SECONDS)
        assert await flight.get("a", quick) == "value"

    with capture_logs() as logged:
        run_in_virtual_time(main())
    assert [line["event"] for line in logged if line["event"] == "flight_overdue"] == ["flight_overdue"]


def test_a_cancelled_flight_does_not_cancel_its_waiters() -> None:
    async def main() -> None:
        flight: LocalFlight[str] = LocalFlight(5)
        started = flight.start("a", hanging)
        waiting = asyncio.create_task(flight.get("a", quick))
        await asyncio.sleep(1)
        started.cancel()
        with pytest.raises(OutOfTime):
            await waiting
        assert waiting.cancelling() == 0

    run_in_virtual_time(main())


def test_a_cancelled_caller_does_not_cancel_the_fetch_of_the_others() -> None:
    async def main() -> None:
        flight: LocalFlight[str] = LocalFlight(5)

        async def slow() -> str:
            await asyncio.sleep(1)
            return "value"

        first, second = (asyncio.create_task(flight.get("a", slow)) for _ in range(2))
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second == "value"
        assert flight.shared == 1

    run_in_virtual_time(main())


def test_a_fetch_has_the_time_of_the_callers_that_wait_for_it() -> None:
    async def main() -> None:
        flight: LocalFlight[str] = LocalFlight(5)
        assert flight.time_left("a") == 0
        first = asyncio.create_task(flight.get("a", hanging))
        await asyncio.sleep(2)
        assert flight.time_left("a") == 3
        second = asyncio.create_task(flight.get("a", hanging))
        await asyncio.sleep(1)
        assert flight.time_left("a") == 4
        second.cancel()
        await asyncio.wait({second})
        assert flight.time_left("a") == 2
        first.cancel()
        await asyncio.wait({first})
        assert flight.time_left("a") == 0  # it continues without a waiting caller
        flight.start("b", quick)
        assert flight.time_left("b") == 0

    run_in_virtual_time(main())
