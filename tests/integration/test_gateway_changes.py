"""The listener on a real Redis: what it forgets and when, and that it is quiet while nothing happens."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import open_redis
from sellergate_common.keyspace import ACCOUNT_CHANGES, ALL, TOKEN_CHANGES
from sellergate_devstack.redis_server import running_redis
from sellergate_gateway import changes as subject
from sellergate_gateway.changes import Changes
from sellergate_gateway.remembered import UNTOLD_SECONDS, Remembered
from structlog.testing import capture_logs


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def memory(changes: Changes) -> Remembered[str]:
    return Remembered(10, time.monotonic, lambda: changes.connected)


async def test_a_change_is_forgotten_where_its_channel_is_heard(redis: Redis) -> None:
    changes = Changes(redis)
    accounts, tokens = memory(changes), memory(changes)
    async with changes.heard_by({ACCOUNT_CHANGES: (accounts, tokens), TOKEN_CHANGES: (tokens,)}):
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


async def test_a_quiet_listener_asks_seldom(redis: Redis) -> None:
    async def pings() -> int:
        return int((await redis.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0))

    changes = Changes(redis)
    async with changes.heard_by({ACCOUNT_CHANGES: (memory(changes),)}):
        await until(lambda: changes.connected)
        before = await pings()
        await asyncio.sleep(subject.PING_SECONDS + 1)
        assert await pings() - before <= 2


async def test_an_outage_is_told_once_and_ends_in_an_empty_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "RECONNECT_SECONDS", 0.05)
    with running_redis(tmp_path) as url, capture_logs() as logs:
        async with open_redis(SecretStr(url)) as redis:
            changes = Changes(redis)
            held = memory(changes)
            async with changes.heard_by({ACCOUNT_CHANGES: (held,)}):
                await until(lambda: changes.connected)
                held.put("a", "before", 60)
                await redis.client_kill_filter(_type="pubsub")
                await until(lambda: changes.connected and held.get("a") is None)
                await redis.config_set("maxclients", 1)
                await redis.client_kill_filter(_type="pubsub")
                await asyncio.sleep(0.6)
                assert not changes.connected
                await redis.config_set("maxclients", 100)
                await until(lambda: changes.connected)
    told = [entry["event"] for entry in logs if entry["event"].startswith("changes_")]
    assert told == ["changes_unheard", "changes_heard"] * 2


async def test_a_listener_that_hears_nothing_at_all_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer takes the subscription and is silent ever after, as behind a firewall that forgot the connection."""
    monkeypatch.setattr(subject, "PING_SECONDS", 0.1)
    monkeypatch.setattr(subject, "RECONNECT_SECONDS", 60)

    async def answer_until_subscribed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received := await reader.read(4096):
            if b"HELLO" in received:
                writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n")
            elif b"SUBSCRIBE" in received:
                writer.write(b">3\r\n$9\r\nsubscribe\r\n$12\r\nacct:changes\r\n:1\r\n")
            elif b"PING" not in received:
                writer.write(b"+OK\r\n" * received.count(b"CLIENT"))
        writer.close()

    server = await asyncio.start_server(answer_until_subscribed, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_redis(SecretStr(f"redis://127.0.0.1:{port}")) as redis:
        changes = Changes(redis)
        async with changes.heard_by({ACCOUNT_CHANGES: (memory(changes),)}):
            await until(lambda: changes.connected)
            await until(lambda: not changes.connected, 2)


def test_copies_live_five_seconds_while_nobody_tells() -> None:
    now, told = [0.0], [True]
    held: Remembered[str] = Remembered(2, lambda: now[0], lambda: told[0])
    held.put("a", "x", 3600)
    now[0] = 1000.0
    assert held.get("a") == "x"
    told[0] = False
    assert held.get("a") is None
    held.put("a", "y", 3600)
    now[0] += UNTOLD_SECONDS - 0.01
    assert held.get("a") == "y"
    now[0] += 0.01
    assert held.get("a") is None
