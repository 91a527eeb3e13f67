"""The handlers of rotations: counts by kind and outcome, logs without content, and bad messages that stop nothing."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.context import new_request_id
from sellergate_common.errors import InvalidRequest, NotAllowed, NotFound, Unauthenticated
from sellergate_token.rotation.consumer import QueueMessage, RotationQueue
from sellergate_token.rotation.handlers import RotationHandlers
from sellergate_token.rotation.metrics import rotation_count
from sellergate_token.rotation.webhooks import SignedMessage, Webhooks

from tests.fakes.token import CLIENT, RotationWorld, new_secret, secret_expiry


class HandlerWorld(RotationWorld):
    def __init__(self) -> None:
        super().__init__()
        self.registry = CollectorRegistry()
        webhooks = Webhooks((), None, lambda: 0.0)  # type: ignore[arg-type]
        self.handlers = RotationHandlers(webhooks, self.rotations, rotation_count(self.registry))

    def counted(self, source: str, kind: str, outcome: str) -> float | None:
        labels = {"source": source, "kind": kind, "outcome": outcome}
        return self.registry.get_sample_value("sellergate_rotations_total", labels)


@pytest.fixture
def world() -> HandlerWorld:
    return HandlerWorld()


async def test_outcomes_are_counted_by_kind(world: HandlerWorld) -> None:
    message = new_secret(CLIENT.get_secret_value(), "secret-2", world.time).encode()
    with pytest.raises(NotFound):
        await world.handlers.queue_message(message)
    await world.application()
    assert await world.handlers.queue_message(message, caller="operator")
    assert not await world.handlers.queue_message(message)
    warning = secret_expiry(CLIENT.get_secret_value(), world.time + timedelta(days=9), world.time)
    assert await world.handlers.queue_message(warning.encode())
    with pytest.raises(InvalidRequest):
        await world.handlers.queue_message(b"{}")
    with pytest.raises(Unauthenticated):
        await world.handlers.webhook(SignedMessage("0", "v1=", b"{}"))
    for source, kind, outcome in (
        ("queue", "client_secret", "refused"),
        ("queue", "client_secret", "applied"),
        ("queue", "client_secret", "known"),
        ("queue", "secret_expiry", "applied"),
        ("queue", "unknown", "refused"),
        ("webhook", "unknown", "refused"),
    ):
        assert world.counted(source, kind, outcome) == 1, (source, kind, outcome)


async def test_the_edge_may_send_no_queue_message(world: HandlerWorld) -> None:
    with pytest.raises(NotAllowed):
        await world.handlers.queue_message(b"{}", caller="edge")


class Endless:
    """A queue that delivers its messages once, and then none."""

    def __init__(self, *bodies: bytes) -> None:
        self.messages = [QueueMessage(body, f"receipt {body!r}") for body in bodies]
        self.deleted: list[bytes] = []

    async def receive(self) -> Sequence[QueueMessage]:
        if not self.messages:
            await asyncio.sleep(60)
        messages, self.messages = self.messages, []
        return messages

    async def delete(self, message: QueueMessage) -> None:
        self.deleted.append(message.body)


async def test_a_bug_in_one_message_stops_nothing_and_deletes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    queue = Endless(b"bug", b"good")

    async def handle(body: bytes) -> bool:
        if body == b"bug":
            raise RuntimeError("holds a secret")
        return True

    task = asyncio.create_task(
        RotationQueue(
            queue,
            handle,
            order_of=lambda _: ("client", 0.0),
            clock=SYSTEM_CLOCK,
            jitter=lambda: 0.0,
            new_id=new_request_id,
        ).run()
    )
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    assert queue.deleted == [b"good"]
    assert "holds a secret" not in capsys.readouterr().out
    assert "good" not in repr(QueueMessage(b"good", "good"))
