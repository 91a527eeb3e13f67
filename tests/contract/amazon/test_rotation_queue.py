"""The consumer against moto's SQS: a message is deleted only after the durable write, and one that stays blocks no other."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sellergate_common.clock import SYSTEM_CLOCK, Clock
from sellergate_common.context import new_request_id
from sellergate_common.errors import Unavailable
from sellergate_devstack.processes.ports import free_ports
from sellergate_token.rotation.consumer import RotationQueue
from sellergate_token.rotation.handlers import RotationHandlers
from sellergate_token.rotation.messages import order_of
from sellergate_token.rotation.sqs_queue import SqsQueue
from sellergate_token.rotation.webhooks import Webhooks

from tests.contract.amazon.sqs_server import ACCESS, SqsServer, running_sqs
from tests.fakes.token import CLIENT, RotationWorld, new_secret, secret_expiry

SECRET = "amzn1.oa2-cs.v1.fresh"


@pytest.fixture(scope="module")
def sqs() -> Iterator[SqsServer]:
    with running_sqs() as running:
        yield running


@pytest.fixture(autouse=True)
def reach(sqs: SqsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sqs.environment.items():
        monkeypatch.setenv(name, value)


class Enough(Exception):
    """The end of a consumer that would run forever."""


class Consumer(RotationWorld):
    """A world with a consumer, which receives an undeleted message again after a second."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[tuple[str, str, str]] = []
        self.handlers = RotationHandlers(
            Webhooks((), None, time.time),  # type: ignore[arg-type]
            self.rotations,
            lambda *labels: self.counts.append(labels),
        )

    @asynccontextmanager
    async def consuming(self, url: str) -> AsyncIterator[None]:
        queue = SqsQueue(url, ACCESS["AWS_REGION"], visibility_seconds=1, wait_seconds=1)
        task = asyncio.create_task(
            RotationQueue(
                queue,
                self.handlers.queue_message,
                order_of=order_of,
                clock=SYSTEM_CLOCK,
                jitter=lambda: 0.0,
                new_id=new_request_id,
            ).run()
        )
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()

    async def secret(self, application_id: str) -> str:
        return (await self.stored.client(application_id)).client_secret.get_secret_value()

    def message(self, secret: str = SECRET) -> str:
        return new_secret(CLIENT.get_secret_value(), secret, self.time)


async def soon(holds: Callable[[], bool], seconds: float = 20) -> None:
    for _ in range(int(seconds * 10)):
        if await asyncio.to_thread(holds):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come to hold")


async def test_a_new_secret_is_stored_and_its_message_deleted(sqs: SqsServer, capsys: Any) -> None:
    world, (queue, _) = Consumer(), sqs.queue()
    application_id = await world.application()
    sqs.send(queue, world.message())
    sqs.send(queue, world.message())
    async with world.consuming(queue):
        await soon(lambda: sqs.left(queue) == 0)
    assert await world.secret(application_id) == SECRET
    assert (await world.stored.client(application_id)).previous_secret == SecretStr("secret-1")
    assert len(world.counts) >= 2
    assert {labels[:2] for labels in world.counts} == {("queue", "client_secret")}
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err


async def test_a_message_stays_during_an_outage_of_the_account_service_and_is_applied_later(
    sqs: SqsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, (queue, _) = Consumer(), sqs.queue()
    application_id = await world.application()
    store = world.stored.store_client_secret
    down = True

    async def store_unless_down(*given: Any) -> bool:
        if down:
            raise Unavailable("down in the middle")
        return await store(*given)

    monkeypatch.setattr(world.stored, "store_client_secret", store_unless_down)
    sqs.send(queue, world.message())
    async with world.consuming(queue):
        await soon(lambda: len(world.counts) >= 2)
        assert sqs.left(queue) == 1
        assert await world.secret(application_id) == "secret-1"
        down = False
        await soon(lambda: sqs.left(queue) == 0)
    assert await world.secret(application_id) == SECRET
    assert world.counts[0] == ("queue", "client_secret", "failed")
    assert world.counts[-1] == ("queue", "client_secret", "applied")


async def test_messages_that_cannot_be_applied_are_left_to_the_redrive_policy(sqs: SqsServer, capsys: Any) -> None:
    world, (queue, dead) = Consumer(), sqs.queue(redrive_after=2)
    application_id = await world.application()
    poison = f'{{"newClientSecret": "{SECRET}"'
    stranger = new_secret("amzn1.application-oa2-client.stranger", SECRET, world.time)
    other = json.dumps({"notificationType": "ANY_OFFER_CHANGED", "payload": {}})
    for body in (poison, stranger, other, world.message("secret-2")):
        sqs.send(queue, body)
    async with world.consuming(queue):
        await soon(lambda: sqs.left(queue) == 3)
        assert await world.secret(application_id) == "secret-2"
        warning = secret_expiry(CLIENT.get_secret_value(), world.time, world.time)
        sqs.send(queue, warning)
        await soon(lambda: ("queue", "secret_expiry", "applied") in world.counts)
        await soon(lambda: sqs.left(dead) == 3)
    assert world.counts.count(("queue", "unknown", "refused")) == 4
    assert world.counts.count(("queue", "client_secret", "refused")) == 2
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert "stranger" not in printed.out + printed.err


async def test_the_newest_secret_by_amazons_time_wins_in_any_order_of_the_queue(sqs: SqsServer) -> None:
    for seed in range(4):
        chance, world, (queue, _) = random.Random(seed), Consumer(), sqs.queue()
        application_id = await world.application()
        client = CLIENT.get_secret_value()
        news = [new_secret(client, f"secret-{n}", world.time + timedelta(minutes=n)) for n in range(2, 7)]
        given = [*news, chance.choice(news)]
        chance.shuffle(given)
        world.time += timedelta(minutes=10)
        late = given.pop()
        for body in given:
            sqs.send(queue, body)
        async with world.consuming(queue):
            await soon(lambda queue=queue: sqs.left(queue) == 0)  # type: ignore[misc]
            sqs.send(queue, late)
            await soon(lambda queue=queue: sqs.left(queue) == 0)  # type: ignore[misc]
        assert await world.secret(application_id) == "secret-6", seed


async def test_an_outage_of_the_queue_does_not_block_the_event_loop(sqs: SqsServer) -> None:
    world, (queue, _) = Consumer(), sqs.queue()
    application_id = await world.application()
    async with world.consuming(queue):
        await asyncio.to_thread(sqs.stop)
        rounds, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            await asyncio.sleep(0.01)
            rounds += 1
        assert rounds > 10
        sqs.restart()
        sqs.send(queue, world.message())
        await soon(lambda: sqs.left(queue) == 0)
    assert await world.secret(application_id) == SECRET


async def test_a_stopped_consumer_does_not_wait_for_its_long_poll(sqs: SqsServer) -> None:
    queue, _ = sqs.queue()
    task = asyncio.create_task(SqsQueue(queue, ACCESS["AWS_REGION"], visibility_seconds=1, wait_seconds=5).receive())
    await asyncio.sleep(1)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 4.5


async def test_a_queue_that_does_not_respond_is_polled_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{free_ports(1)[0]}")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            raise Enough

    async def handle(_: bytes) -> bool:
        raise AssertionError("nothing comes")

    queue = SqsQueue("http://127.0.0.1/q", ACCESS["AWS_REGION"], visibility_seconds=1, wait_seconds=1)
    with pytest.raises(Enough):
        await RotationQueue(
            queue,
            handle,
            order_of=order_of,
            clock=Clock(sleep=sleep),
            jitter=lambda: 1.0,
            new_id=new_request_id,
        ).run()
    assert pauses[:3] == [1.0, 2.0, 4.0]
    assert pauses[-1] == 60.0
