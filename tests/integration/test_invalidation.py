"""The invalidation feed on a real Redis: which copies are dropped and when, and few commands while no change is published."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import invalidation as subject
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES, ALL, TOKEN_CHANGES
from sellergate_common.cache.lru import MAX_STALENESS_SECONDS, TtlCache
from sellergate_common.clock import Clock
from sellergate_common.feed.trust import TRUST_SECONDS
from sellergate_common.redis_client import open_redis
from sellergate_devstack.servers.redis import running_redis
from structlog.testing import capture_logs


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (the condition has no event)
            await asyncio.sleep(0.01)


def memory(changes: InvalidationFeed) -> TtlCache[str]:
    return TtlCache(10, time.monotonic, lambda: changes.connected)


async def test_a_change_drops_the_copies_that_subscribe_to_its_channel(redis: Redis) -> None:
    changes = InvalidationFeed(redis)
    accounts, tokens = memory(changes), memory(changes)
    async with changes.subscribe({ACCOUNT_CHANGES: (accounts, tokens), TOKEN_CHANGES: (tokens,)}):
        await until(lambda: changes.connected)
        for each in (accounts, tokens):
            each.put("a", "of a", 60)
            each.put("b", "of b", 60)
        await redis.publish(TOKEN_CHANGES, "a")
        await until(lambda: tokens.get("a") is None)
        assert (accounts.get("a"), tokens.get("b")) == ("of a", "of b")
        await redis.publish(ACCOUNT_CHANGES, "b")
        await until(lambda: accounts.get("b") is None and tokens.get("b") is None)
        await redis.publish(ACCOUNT_CHANGES, ALL)
        await until(lambda: accounts.get("a") is None)


async def test_an_idle_feed_pings_rarely(redis: Redis) -> None:
    async def pings() -> int:
        return int((await redis.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0))

    changes = InvalidationFeed(redis)
    async with changes.subscribe({ACCOUNT_CHANGES: (memory(changes),)}):
        await until(lambda: changes.connected)
        before = await pings()
        await asyncio.sleep(subject.PING_SECONDS + 1)
        assert await pings() - before <= 2


async def test_an_outage_is_logged_once_and_drops_all_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "RECONNECT_SECONDS", 0.05)
    with running_redis(tmp_path) as url, capture_logs() as logs:
        async with open_redis(SecretStr(url)) as redis:
            changes = InvalidationFeed(redis)
            held = memory(changes)
            async with changes.subscribe({ACCOUNT_CHANGES: (held,)}), redis.client() as control:
                await until(lambda: changes.connected)
                held.put("a", "before", 60)
                await control.client_kill_filter(_type="pubsub")
                await until(lambda: changes.connected and held.get("a") is None)
                # New connections are refused; that of this test stays open.
                await control.config_set("requirepass", "another")
                await control.client_kill_filter(_type="pubsub")
                await asyncio.sleep(0.5)
                assert not changes.connected
                await control.config_set("requirepass", urlsplit(url).password)
                await until(lambda: changes.connected)
    events = [entry["event"] for entry in logs if entry["event"].startswith("feed_")]
    assert events == ["feed_disconnected", "feed_connected"] * 2


@asynccontextmanager
async def firewall(redis_url: str, passing: asyncio.Event, *, closes_at: bytes = b"never") -> AsyncIterator[str]:
    """A proxy to Redis through which no response comes back unless `passing`; it closes when a client sends `closes_at`."""
    target = urlsplit(redis_url)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(target.hostname, target.port)

        async def forward() -> None:
            with suppress(ConnectionError), closing(inner_writer):
                while received := await reader.read(4096):
                    if closes_at in received:
                        passing.clear()
                    inner_writer.write(received)

        async def respond() -> None:
            with suppress(ConnectionError), closing(writer):
                while received := await inner_reader.read(4096):
                    await passing.wait()
                    writer.write(received)

        await asyncio.gather(forward(), respond())

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    async with server:
        yield redis_url.replace(f":{target.port}/", f":{server.sockets[0].getsockname()[1]}/")
        passing.set()


async def test_a_silently_broken_connection_is_detected(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall that has dropped the connection neither refuses data nor lets a response pass."""
    monkeypatch.setattr(subject, "PING_SECONDS", 0.1)
    monkeypatch.setattr(subject, "RECONNECT_SECONDS", 60)
    passing = asyncio.Event()
    passing.set()
    async with firewall(redis_url, passing) as url, open_redis(SecretStr(url)) as redis:
        changes = InvalidationFeed(redis)
        async with changes.subscribe({ACCOUNT_CHANGES: (memory(changes),)}):
            await until(lambda: changes.connected)
            await asyncio.sleep(0.5)
            assert changes.connected
            passing.clear()
            await until(lambda: not changes.connected, 2)


class VirtualClock:
    """A monotonic clock that a test moves, as the real one moves while a process is stopped."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now)


async def test_a_process_that_was_stopped_trusts_its_connection_only_after_a_response(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke during the stop: what was published since the last ping may be missing."""
    monkeypatch.setattr(subject, "PING_SECONDS", 0.2)
    passing, time_ = asyncio.Event(), VirtualClock()
    passing.set()
    async with firewall(redis_url, passing) as url, open_redis(SecretStr(url)) as redis:
        changes = InvalidationFeed(redis, time_.clock())
        held = memory(changes)
        async with changes.subscribe({ACCOUNT_CHANGES: (held,)}):
            await until(lambda: changes.connected)
            passing.clear()
            time_.now += TRUST_SECONDS - 0.01
            assert changes.connected
            time_.now += 0.01
            assert not changes.connected
            # The connection had only been slow: nothing is missing once it has delivered what was sent before the ping.
            held.put("a", "kept", 60)
            passing.set()
            await until(lambda: changes.connected)
            assert held.get("a") == "kept"


async def test_a_busy_feed_stays_connected(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages prove nothing about later ones, so that pings must not wait for silence."""
    monkeypatch.setattr(subject, "PING_SECONDS", 0.2)
    time_ = VirtualClock()
    changes = InvalidationFeed(redis, time_.clock())
    async with changes.subscribe({ACCOUNT_CHANGES: (memory(changes),)}):
        await until(lambda: changes.connected)
        for _ in range(40):
            await redis.publish(ACCOUNT_CHANGES, "a")
            await asyncio.sleep(0.02)
            time_.now += 0.3
            assert changes.connected


async def test_the_feed_is_connected_only_after_redis_confirms_the_subscription(redis_url: str) -> None:
    passing = asyncio.Event()
    passing.set()
    async with firewall(redis_url, passing, closes_at=b"SUBSCRIBE") as url, open_redis(SecretStr(url)) as redis:
        changes = InvalidationFeed(redis)
        held = memory(changes)
        async with changes.subscribe({ACCOUNT_CHANGES: (held,)}):
            await until(lambda: not passing.is_set())
            held.put("a", "fetched before the subscription", 60)
            await asyncio.sleep(0.3)
            assert not changes.connected
            passing.set()
            await until(lambda: changes.connected)
            assert held.get("a") is None


def test_copies_live_five_seconds_while_the_feed_is_disconnected() -> None:
    now, connected = [0.0], [True]
    held: TtlCache[str] = TtlCache(2, lambda: now[0], lambda: connected[0])
    held.put("a", "x", 3600)
    now[0] = 1000.0
    assert held.get("a") == "x"
    connected[0] = False
    assert held.get("a") is None
    held.put("a", "y", 3600)
    now[0] += MAX_STALENESS_SECONDS - 0.01
    assert held.get("a") == "y"
    now[0] += 0.01
    assert held.get("a") is None
