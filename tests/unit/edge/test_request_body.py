"""Bodies that are too large or never end."""

import asyncio
import tracemalloc
from collections.abc import MutableMapping
from typing import Any

import pytest
from sellergate_edge.request_body import BODY_SECONDS, read_body
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.fakes.virtual_time import run_in_virtual_time


def sent(*chunks: bytes, pause: float = 0.0) -> Request:
    """A request whose sender pauses before each chunk, and before the end of the body."""
    left = list(chunks)

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(pause)
        chunk = left.pop(0) if left else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    return Request({"type": "http", "headers": []}, receive)


async def test_a_body_is_read_up_to_its_bound() -> None:
    assert await read_body(sent(b"ab", b"cd"), 4) == b"abcd"
    with pytest.raises(HTTPException) as caught:
        await read_body(sent(b"ab", b"cd", b"e"), 4)
    assert caught.value.status_code == 413


async def test_a_large_body_is_in_memory_only_once() -> None:
    chunk, count = 64 * 1024, 64

    async def receive() -> MutableMapping[str, Any]:
        nonlocal count
        count -= 1
        return {"type": "http.request", "body": b"x" * chunk, "more_body": bool(count)}

    size = chunk * count
    tracemalloc.start()
    try:
        body = await read_body(Request({"type": "http", "headers": []}, receive), size)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(body) == size
    assert peak < 1.3 * size


@pytest.mark.parametrize("chunks", [0, 10_000])
def test_a_body_that_never_ends_times_out(chunks: int) -> None:
    async def main() -> tuple[int, float]:
        with pytest.raises(HTTPException) as caught:
            await read_body(sent(*[b"x"] * chunks, pause=1.0 if chunks else 1e6), 10**6)
        return caught.value.status_code, asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == (408, BODY_SECONDS)
