"""What the simulation does in a shorter way than asyncio and fakeredis has the same results."""

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from sellergate_common.crypto.sealing import KeyRing, SealError

from simulation.cluster import RING
from simulation.world.loop import SimulationLoop
from simulation.world.patches import replaced_world
from simulation.world.redis_server import Socket, new_server
from simulation.world.timeouts import Timeout


async def _outcome(limit: Callable[[float | None], Any], delay: float | None, work: float, leave: float) -> str:
    """Return how a wait of `work` seconds ends within `delay` seconds, and when, if its task is cancelled after `leave`."""
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        async with limit(20.0), limit(delay):
            await asyncio.sleep(work)

    task = loop.create_task(wait())
    loop.call_later(leave, task.cancel)
    began = loop.time()
    try:
        await task
    except (TimeoutError, asyncio.CancelledError) as error:
        return f"{type(error).__name__} after {loop.time() - began:.3f} s, cancelled {task.cancelling()} times"
    return f"done after {loop.time() - began:.3f} s"


def test_a_timeout_ends_as_that_of_asyncio() -> None:
    cases = list(product((None, -1.0, 0.0, 0.5, 30.0), (0.0, 0.4, 1.0, 25.0), (0.2, 0.5, 60.0)))

    async def outcomes(limit: Callable[[float | None], Any]) -> list[str]:
        return [await _outcome(limit, *case) for case in cases]

    async def main() -> tuple[list[str], list[str]]:
        return await outcomes(asyncio.timeouts.timeout), await outcomes(Timeout)

    with replaced_world("1", lambda *_: None) as loop:
        expected, found = loop.run_task(main())
    assert found == expected
    assert {one.partition(" ")[0] for one in found} == {"done", "TimeoutError", "CancelledError"}


def _replies(*commands: list[bytes]) -> list[bytes]:
    """Return the replies of a new server to commands."""
    found: list[bytes] = []
    socket = Socket(new_server(), 1)
    socket.reply, socket.mutes = found.append, lambda _: False
    for command in commands:
        socket._process_command(command)
    return found


def test_redis_replies_to_commands() -> None:
    replies = _replies(
        [b"SET", b"a", b"1", b"PX", b"5000"],
        [b"GET", b"a"],
        [b"GET", b"b"],
        [b"MGET", b"a", b"b"],
        [b"HSET", b"h", b"x", b"1"],
        [b"HMGET", b"h", b"x", b"y"],
        [b"DEL", b"a", b"b"],
        [b"SET", b"a", b"2", b"NX"],
        [b"SET", b"a", b"3", b"NX"],
    )
    assert replies == [
        b"$2\r\nOK\r\n",
        b"$1\r\n1\r\n",
        b"$-1\r\n",
        b"*2\r\n$1\r\n1\r\n$-1\r\n",
        b":1\r\n",
        b"*2\r\n$1\r\n1\r\n$-1\r\n",
        b":1\r\n",
        b"$2\r\nOK\r\n",
        b"$-1\r\n",
    ]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([b"GET"], b"wrong number of arguments"),
        ([b"HSET", b"h", b"x"], b"wrong number of arguments"),
        ([b"HGET", b"a", b"x"], b"WRONGTYPE"),
        ([b"PEXPIRE", b"a", b"soon"], b"not an integer"),
        ([b"NONSENSE", b"a"], b"unknown command"),
        ([b"EVAL", b"return redis.call('HGET', KEYS[1], 'x')", b"1", b"a"], b"WRONGTYPE"),
        ([b"EVAL", b"return redis.call('EVAL', 'return 1', 0)", b"0"], b"not allowed from script"),
        ([b"EVAL", b"return nonsense.field", b"0"], b"nonsense"),
        ([b"EVALSHA", b"0" * 40, b"0"], b"NOSCRIPT"),
    ],
)
def test_redis_refuses_commands(command: list[bytes], words: bytes) -> None:
    (_, refused) = _replies([b"SET", b"a", b"1"], command)
    assert refused.startswith(b"-")
    assert words in refused


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        (b"return {1, 'a', {2, {3}}, false, 4}", b"*5\r\n:1\r\n$1\r\na\r\n*2\r\n:2\r\n*1\r\n:3\r\n$-1\r\n:4\r\n"),
        (b"return {}", b"*0\r\n"),
        (b"return 3.9", b":3\r\n"),
        (b"return false", b"$-1\r\n"),
        (b"return {ok = 'well'}", b"$4\r\nwell\r\n"),
        (b"return redis.call('MGET', 'a', 'b')", b"*2\r\n$1\r\n1\r\n$-1\r\n"),
        (b"return redis.call('GET', 'b') == false and 'none' or 'some'", b"$4\r\nnone\r\n"),
        (b"return redis.call('SET', 'a', 2)", b"$2\r\nOK\r\n"),
        (b"return {KEYS[1], ARGV[1]}", b"*2\r\n$1\r\nk\r\n$1\r\nv\r\n"),
    ],
)
def test_redis_runs_scripts(script: bytes, reply: bytes) -> None:
    assert _replies([b"SET", b"a", b"1"], [b"EVAL", script, b"1", b"k", b"v"])[1] == reply


def test_the_ring_that_remembers_opens_what_the_products_ring_opens() -> None:
    plain = KeyRing(RING.keys)
    sealed = plain.seal("secret", "place")
    assert RING.open(sealed, "place") == RING.open(sealed, "place") == plain.open(sealed, "place")
    assert RING.index("a", "b") == plain.index("a", "b") != RING.index("ab")
    with pytest.raises(SealError):
        RING.open(sealed, "other place")


def test_a_cancelled_callback_is_left_out() -> None:
    seen: list[str] = []
    with replaced_world("1", lambda *_: None) as loop:
        assert isinstance(loop, SimulationLoop)

        async def main() -> None:
            soon, later = loop.call_soon(seen.append, "soon"), loop.call_later(1.0, seen.append, "later")
            soon.cancel()
            later.cancel()
            await asyncio.sleep(2.0)
            assert soon.cancelled()
            assert later.cancelled()

        loop.run_task(main())
    assert seen == []
