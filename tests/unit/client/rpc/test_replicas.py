"""Hedged calls: the first response is returned, and the other attempts' errors are retrieved, in virtual time."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sellergate_client.rpc.replicas import Replicas
from sellergate_common.errors import NotFound, SellergateError, Unavailable
from sellergate_common.identity.tls import Identity

from tests.fakes.virtual_time import run_in_virtual_time

BROKEN = Unavailable("The token service did not complete the call.", metadata={"dependency": "token"})
REFUSED = NotFound("There is no such account.", domain="sellergate.token")
# The behaviour of each replica: after a number of seconds, return or raise.
Steps = list[tuple[float, str | SellergateError]]


class Played(Replicas):
    """Replicas with a given behaviour."""

    def __init__(self, steps: Steps) -> None:
        names = ",".join(str(number) for number in range(len(steps)))
        super().__init__(f"ipv4:{names}", "token", Identity(b"", b"", b""), [], AsyncExitStack())
        self._steps = list(steps)

    async def _once(self, *_: Any) -> Any:
        seconds, outcome = self._steps.pop(0)
        await asyncio.sleep(seconds)
        if isinstance(outcome, SellergateError):
            raise outcome
        return outcome


def outcome_of(steps: Steps) -> tuple[Any, list[str]]:
    """Return the outcome of a hedged call, and the errors that asyncio logs as never retrieved."""
    forgotten: list[str] = []

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        note: Callable[[Any, Any], None] = lambda _, context: forgotten.append(context["message"])  # noqa: E731
        loop.set_exception_handler(note)
        try:
            return await Played(steps).call("/x", None, str, seconds=30, hedge_seconds=1)
        except SellergateError as error:
            return error.reason
        finally:
            await asyncio.sleep(60)
            gc.collect()

    return run_in_virtual_time(main()), forgotten


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([(0.5, "first"), (0.5, "second")], "first"),
        ([(5.0, "slow"), (0.5, "hedge")], "hedge"),
        ([(2.0, "both"), (1.0, "both")], "both"),
        ([(2.0, REFUSED), (1.0, REFUSED)], REFUSED.reason),
        ([(2.0, BROKEN), (1.0, BROKEN)], BROKEN.reason),
        ([(2.0, REFUSED), (1.0, "answer")], "answer"),
        ([(2.0, "answer"), (1.0, REFUSED)], "answer"),
        ([(2.0, BROKEN), (1.0, REFUSED)], REFUSED.reason),
        ([(9.0, REFUSED), (0.5, BROKEN), (0.5, "third")], "third"),
    ],
)
def test_errors_of_slower_replicas_are_retrieved(steps: Steps, outcome: str) -> None:
    assert outcome_of(steps) == (outcome, [])
