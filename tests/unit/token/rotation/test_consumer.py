"""Late, repeated and simultaneous notifications of new secrets: in any order, the newest by Amazon's time is used at the end."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.secrets.rotation import NewSecret
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.errors import InternalError, Unavailable
from sellergate_token.rotation.consumer import HANDLE_SECONDS, QueueMessage, RotationQueue
from sellergate_token.rotation.handlers import RotationHandlers
from sellergate_token.rotation.messages import order_of

from tests.fakes.token import CLIENT, RotationWorld, new_secret, secret_expiry
from tests.fakes.virtual_time import run_in_virtual_time

ORDERS = 200


class Batches:
    """A queue that delivers its batches one by one, then ends the consumer."""

    def __init__(self, *batches: Sequence[str]) -> None:
        self.batches = [
            [QueueMessage(body.encode(), f"r{n}.{m}") for m, body in enumerate(batch)]
            for n, batch in enumerate(batches)
        ]
        self.deleted: list[str] = []

    async def receive(self) -> Sequence[QueueMessage]:
        if not self.batches:
            raise asyncio.CancelledError
        return self.batches.pop(0)

    async def delete(self, message: QueueMessage) -> None:
        self.deleted.append(message.body.decode())


async def consume(queue: Batches, handle: object) -> None:
    consumer = RotationQueue(
        queue,
        handle,  # type: ignore[arg-type]
        order_of=order_of,
        clock=SYSTEM_CLOCK,
        jitter=lambda: 0.0,
        new_id=lambda: "r",
    )
    with pytest.raises(asyncio.CancelledError):
        await consumer.run()


@pytest.mark.parametrize("spread", [timedelta(milliseconds=1), timedelta(minutes=1), timedelta(days=2)])
async def test_the_newest_secret_by_amazons_time_wins_in_every_order(spread: timedelta) -> None:
    for seed in range(ORDERS):
        world, chance = RotationWorld(), random.Random(seed)
        application_id = await world.application()
        handlers = RotationHandlers(None, world.rotations, lambda *_: None)  # type: ignore[arg-type]
        client = CLIENT.get_secret_value()
        news = [new_secret(client, f"secret-{n}", world.time + n * spread) for n in range(2, 7)]
        world.time += 8 * spread
        given = news + chance.choices(news, k=chance.randrange(5))
        chance.shuffle(given)
        cut = chance.randrange(len(given) + 1)
        queue = Batches(given[:cut], given[cut:])
        await consume(queue, handlers.queue_message)
        kept = await world.stored.client(application_id)
        assert kept.client_secret.get_secret_value() == "secret-6", (seed, spread)
        assert sorted(queue.deleted) == sorted(given)


async def test_a_late_older_secret_becomes_the_previous_one_while_amazon_accepts_it() -> None:
    world = RotationWorld()
    application_id = await world.application()
    older = new_secret(CLIENT.get_secret_value(), "secret-2", world.time)
    newer = new_secret(CLIENT.get_secret_value(), "secret-3", world.time + timedelta(days=1))
    handlers = RotationHandlers(None, world.rotations, lambda *_: None)  # type: ignore[arg-type]
    world.time += timedelta(days=1)
    assert await handlers.queue_message(newer.encode())
    application, secrets = world.domain.store.work.applications.rows[application_id]  # type: ignore[attr-defined]
    assert not await handlers.queue_message(older.encode())
    assert world.domain.store.work.applications.rows[application_id] == (application, secrets), (
        "a previous secret is stored"
    )  # type: ignore[attr-defined]

    for days, expected in ((6, "secret-2"), (8, None)):
        emptied = replace(secrets, previous_client_secret=None)
        world.domain.store.work.applications.rows[application_id] = (application, emptied)  # type: ignore[attr-defined]
        world.time += timedelta(days=days)
        assert not await handlers.queue_message(older.encode())
        kept = await world.stored.client(application_id)
        assert kept.client_secret.get_secret_value() == "secret-3"
        assert (kept.previous_secret and kept.previous_secret.get_secret_value()) == expected


async def test_notifications_before_an_operators_secret_stay_outdated() -> None:
    world = RotationWorld()
    application_id = await world.application()
    handlers = RotationHandlers(None, world.rotations, lambda *_: None)  # type: ignore[arg-type]
    client = CLIENT.get_secret_value()
    first, second, third = (new_secret(client, f"secret-{n}", world.time + timedelta(hours=n)) for n in (2, 3, 4))
    world.time += timedelta(hours=5)
    await handlers.queue_message(second.encode())
    await world.domain.applications.rotate(application_id, "", NewSecret(SecretStr("secret-4")))
    assert not await handlers.queue_message(first.encode())
    assert (await world.stored.client(application_id)).client_secret.get_secret_value() == "secret-4"
    assert not await handlers.queue_message(third.encode()), "it is the present secret"
    assert (await world.stored.application(application_id)).secret_issue_time is not None
    assert not await handlers.queue_message(second.encode())
    assert (await world.stored.client(application_id)).client_secret.get_secret_value() == "secret-4"


def messages_of(client: str, *numbers: int) -> list[str]:
    world = RotationWorld()
    return [new_secret(client, f"{client}-{n}", world.time + timedelta(hours=n)) for n in numbers]


async def test_messages_are_handled_in_order_per_client_and_concurrently_across_clients() -> None:
    begun: list[str] = []
    both = asyncio.Event()

    async def handle(body: bytes) -> bool:
        text = body.decode()
        name = next(f"{client}-{n}" for client in ("one", "two") for n in range(9) if f'"{client}-{n}"' in text)
        begun.append(name)
        if {"one-1", "two-5"} <= set(begun):
            both.set()
        await both.wait()
        await asyncio.sleep(0)
        return True

    queue = Batches([*messages_of("one", 3, 1, 2), *messages_of("two", 6, 5)])
    async with asyncio.timeout(20):
        await consume(queue, handle)
    assert [name for name in begun if name.startswith("one")] == ["one-1", "one-2", "one-3"]
    assert [name for name in begun if name.startswith("two")] == ["two-5", "two-6"]


@pytest.mark.parametrize("error", [Unavailable("down"), InternalError("bug"), RuntimeError("bug"), None])
def test_a_message_that_fails_or_hangs_blocks_no_other(error: Exception | None) -> None:
    begun: list[bytes] = []

    async def handle(body: bytes) -> bool:
        begun.append(body)
        if b"one-1" in body:
            if error is not None:
                raise error
            await asyncio.sleep(10 * HANDLE_SECONDS)
        return True

    async def main() -> float:
        started = asyncio.get_running_loop().time()
        received = await RotationQueue(
            queue, handle, order_of=order_of, clock=SYSTEM_CLOCK, jitter=lambda: 0.0, new_id=lambda: "r"
        )._receive_batch()
        assert received is isinstance(error, RuntimeError)
        return asyncio.get_running_loop().time() - started

    given = [
        *messages_of("one", 1, 2, 3),
        "unreadable",
        secret_expiry("one", RotationWorld().time, RotationWorld().time),
    ]
    queue = Batches(given)
    assert run_in_virtual_time(main()) <= HANDLE_SECONDS
    assert len(begun) == len(given)
    assert sorted(queue.deleted) == sorted(given[1:])
