"""The listener of changes and the Redis client when connections break at any moment, and when odd messages are published."""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit

import pytest
import uvloop
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import invalidation as subject
from sellergate_common.cache.invalidation import InvalidationFeed, InvalidationListener
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES, TOKEN_CHANGES
from sellergate_common.cache.lru import TtlCache
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.redis_client import UNREACHABLE, open_redis
from sellergate_common.tasks import BackgroundTasks
from structlog.testing import capture_logs

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends RST


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (nothing announces it)
            await asyncio.sleep(0.01)


def memory(changes: InvalidationFeed) -> TtlCache[str]:
    return TtlCache(10, time.monotonic, lambda: changes.connected)


class Proxy:
    """A proxy to Redis that resets connection n after `limits[n]` bytes from Redis, and keeps further ones open."""

    def __init__(self, redis_url: str, limits: list[int]) -> None:
        self._target = urlsplit(redis_url)
        self._limits = iter(limits)
        self._lives: asyncio.StreamWriter | None = None
        self._tasks = set[asyncio.Task[None]]()
        self.accepted = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = self._target.geturl().replace(f":{self._target.port}", f":{server.sockets[0].getsockname()[1]}")
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.sleep(0.05)

    def inject(self, response: bytes) -> None:
        """Send bytes to the client as if they came from Redis."""
        assert self._lives
        self._lives.write(response)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        left = next(self._limits, None)
        if left is None:
            self._lives = writer
        inner_reader, inner_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        downstream = asyncio.create_task(_copy(inner_reader, writer, left))
        asking = asyncio.create_task(_copy(reader, inner_writer, None))
        self._tasks |= {downstream, asking}
        await asyncio.wait({downstream, asking}, return_when=asyncio.FIRST_COMPLETED)
        if left is not None:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        for each in (inner_writer, writer):
            each.transport.abort()
        for task in (downstream, asking):
            task.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
    """Copy `left` bytes, or all if it is None."""
    with contextlib.suppress(ConnectionError):
        while left is None or left > 0:
            received = await reader.read(4096 if left is None else left)
            if not received:
                return
            writer.write(received)
            await writer.drain()
            left = None if left is None else left - len(received)


@contextlib.contextmanager
def resetting() -> Iterator[int]:
    """A server that accepts connections and resets them at once, in a thread of its own; yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listening.accept()
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                accepted.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


async def _errors(port: int, scheme: str, use: Callable[[Redis], "asyncio.Future[object]"]) -> list[BaseException]:
    """Connect until one of uvloop's own errors was met, while the loop has other work; return all errors."""

    async def busy() -> None:
        while True:
            # The reset arrives between two steps of the client, as it does in a process under load.
            until_then = time.perf_counter() + 0.0005
            while time.perf_counter() < until_then:
                pass
            await asyncio.sleep(0)

    errors = list[BaseException]()
    work = asyncio.create_task(busy())
    try:
        for _ in range(1_000):
            async with open_redis(SecretStr(f"{scheme}://:pw@127.0.0.1:{port}")) as redis:
                try:
                    await use(redis)
                except BaseException as error:  # noqa: BLE001  (the test inspects every error)
                    errors.append(error)
            if any(isinstance(error.__cause__, RuntimeError) for error in errors):
                break
    finally:
        work.cancel()
    return errors


async def _command(redis: Redis) -> object:
    return await redis.get("key")


async def _subscription(redis: Redis) -> object:
    async with redis.pubsub() as subscription:
        await subscription.subscribe("channel")
        return await subscription.parse_response(block=False, timeout=1)


@pytest.mark.parametrize("use", [_command, _subscription])
def test_a_connection_reset_while_it_is_set_up_is_an_unreachable_redis(use: Callable[[Redis], object]) -> None:
    with resetting() as port:
        errors = uvloop.run(_errors(port, "redis", use))  # type: ignore[arg-type]
    assert all(isinstance(error, UNREACHABLE) for error in errors)
    assert isinstance(errors[-1].__cause__, RuntimeError), "uvloop's own error was met and translated"


def test_the_feed_survives_a_reset_at_every_byte_of_the_handshake(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "RECONNECT_SECONDS", 0.005)
    # "+OK" of AUTH, and two confirmations of subscriptions.
    limits = list(range(5 + 2 * len(f"*3\r\n$9\r\nsubscribe\r\n$12\r\n{ACCOUNT_CHANGES}\r\n:1\r\n")))

    async def scenario() -> None:
        async with Proxy(redis_url, limits).serving() as proxy, open_redis(SecretStr(proxy.url)) as redis:
            changes, background = InvalidationFeed(redis), BackgroundTasks()
            held = memory(changes)
            listeners = {ACCOUNT_CHANGES: (held,), TOKEN_CHANGES: (held,)}
            async with changes.subscribe(listeners, background), open_redis(SecretStr(redis_url)) as other:
                await until(lambda: changes.connected and proxy.accepted > len(limits), 30)
                assert proxy.accepted == len(limits) + 1
                assert background.problems() == {"changes": "", "changes_subscribed": ""}
                assert background.states["changes"].restarts == 0
                held.put("a", "value", 60)
                await other.publish(ACCOUNT_CHANGES, "a")
                await until(lambda: held.get("a") is None)

    uvloop.run(scenario())


class Failing:
    """A listener that raises for every message."""

    def __init__(self) -> None:
        self.doubts = 0

    def forget(self, account_id: str) -> None:
        raise ValueError(account_id)

    def forget_all(self) -> None:
        raise ValueError

    def mark_stale(self) -> None:
        self.doubts += 1


_ODD = {
    "a channel that is not known": b"*3\r\n$7\r\nmessage\r\n$7\r\nunknown\r\n$1\r\na\r\n",
    "a kind that is not known": b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\na\r\n",
    "no text": b"*3\r\n$7\r\nmessage\r\n$12\r\nacct:changes\r\n$2\r\n\xff\xfe\r\n",
}


async def test_malformed_messages_end_no_listener(redis_url: str) -> None:
    async with Proxy(redis_url, []).serving() as proxy, open_redis(SecretStr(proxy.url)) as redis:
        changes = InvalidationFeed(redis)
        held, failing = memory(changes), Failing()
        group: tuple[InvalidationListener, ...] = (failing, held)
        with capture_logs() as logs:
            async with changes.subscribe({ACCOUNT_CHANGES: group}), open_redis(SecretStr(redis_url)) as other:
                await until(lambda: changes.connected)
                for odd in _ODD.values():
                    proxy.inject(odd)
                for odd_text in (b"\xff", b"", b"\x00" * 100_000):
                    await other.publish(ACCOUNT_CHANGES, odd_text)
                held.put("a", "value", 60)
                await other.publish(ACCOUNT_CHANGES, "a")
                await until(lambda: held.get("a") is None)
                assert (proxy.accepted, changes.connected) == (1, True)
    # At the start, and after each of the five messages of its channel.
    assert failing.doubts == 1 + 5
    assert {entry["event"] for entry in logs} == {"change_not_handled"}


async def test_an_ended_subscription_is_made_again_and_reported_meanwhile(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "RECONNECT_SECONDS", 0.05)
    metrics, registry = RpcMetrics(), CollectorRegistry()
    registry.register(metrics)

    def up() -> float | None:
        return registry.get_sample_value("sellergate_background_up", {"name": "changes_subscribed"})

    limits = list[int]()
    async with Proxy(redis_url, limits).serving() as proxy, open_redis(SecretStr(proxy.url)) as redis:
        changes, background = InvalidationFeed(redis), BackgroundTasks()
        metrics.background = background
        async with (
            changes.subscribe({ACCOUNT_CHANGES: (memory(changes),)}, background),
            open_redis(SecretStr(redis_url)) as control,
        ):
            await until(lambda: changes.connected)
            assert up() == 1
            with capture_logs() as logs:
                # The next connections break before the subscription is confirmed.
                proxy._limits = iter([0] * 5)
                await control.client_kill_filter(_type="pubsub")
                await until(lambda: not changes.connected)
                assert (up(), background.problems()["changes_subscribed"]) == (0, "not subscribed to changes")
                await until(lambda: changes.connected)
            assert (up(), background.problems()["changes_subscribed"]) == (1, "")
            assert proxy.accepted == 1 + 5 + 1
            assert [entry["event"] for entry in logs] == ["feed_disconnected", "feed_connected"]
