"""The memory after a failed call: no response of Amazon stays, even before a garbage collection."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sellergate_amazon.parsing import ParseError
from sellergate_common.errors import SellergateError
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse, ConnectError, ResponseLost, ResponseOversized

from tests.fakes.gateway import BUSY, DENIED, EXPIRED, HTML, OK, READ, THROTTLED, WRITE, Step, World


class Held(AmazonResponse):
    """A response that supports weak references."""


@dataclass
class Watched(World):
    """A world that records which of its responses are still in memory."""

    responses: list[weakref.ref[Held]] = field(default_factory=list)

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        held = Held(200, (), b"")
        self.responses.append(weakref.ref(held))  # lives as long as the frames of this attempt
        step = await super().send(request, seconds)
        held.status, held.headers, held.body = step.status, step.headers, step.body
        return held


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def unreadable(response: AmazonResponse) -> None:
    raise ParseError("it is no page")


LARGE = ResponseOversized(AmazonResponse(200, (), b""))


@pytest.mark.parametrize("call", [READ, WRITE])
@pytest.mark.parametrize(
    "step",
    [OK, DENIED, EXPIRED, HTML, BUSY, THROTTLED, ResponseLost("reset"), ConnectError("refused"), LARGE],
    ids=["unreadable", "denied", "expired", "html", "busy", "throttled", "lost", "not sent", "large"],
)
async def test_a_failed_call_leaves_no_response_in_memory(step: Step, call: object) -> None:
    world = Watched(steps=[step])
    with pytest.raises(SellergateError) as caught:
        await world.calls.make(call, "", unreadable)  # type: ignore[arg-type]
    del caught
    if isinstance(step, Exception):
        step.with_traceback(None)
    assert world.responses
    assert [held() for held in world.responses if held() is not None] == []


async def test_a_call_without_a_slot_for_a_retry_leaves_no_response_in_memory() -> None:
    world = Watched(steps=[ResponseLost("reset"), OK], waits=[0.0, 60.0])
    lost = world.steps[0]
    with pytest.raises(SellergateError):
        await world.make(READ)
    assert isinstance(lost, Exception)
    lost.with_traceback(None)
    assert [held() for held in world.responses if held() is not None] == []
