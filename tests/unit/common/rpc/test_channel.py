"""The errors of calls through a channel, for each error of gRPC."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from grpc.aio import Metadata
from sellergate_common.errors import Reason, SellergateError, Unavailable
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import (
    KEEPALIVE_TIMEOUT_MILLISECONDS,
    invoke,
    invoke_client_stream,
    invoke_stream,
    open_channel,
)


async def _unary(channel: grpc.aio.Channel) -> object:
    return await invoke(channel.unary_unary("/a/b"), b"", dependency="token")


async def _streamed(channel: grpc.aio.Channel) -> object:
    method = channel.unary_stream("/a/b")
    return [response async for response in invoke_stream(method, b"", dependency="token", seconds=1)]


async def _uploaded(channel: grpc.aio.Channel) -> object:
    return await invoke_client_stream(channel.stream_unary("/a/b"), [b""], dependency="token", seconds=1)


@pytest.mark.parametrize("call", [_unary, _streamed, _uploaded])
async def test_a_closed_channel_is_an_unavailable_dependency(
    call: Callable[[grpc.aio.Channel], Awaitable[object]],
) -> None:
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    await channel.close()
    with pytest.raises(Unavailable) as caught:
        await call(channel)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.DEPENDENCY_UNAVAILABLE, 1.0)
    assert caught.value.metadata == {"dependency": "token"}


class Broken:
    """A method whose write gRPC ends with its own error, as when the deadline passes meanwhile."""

    def __init__(self, trailing: tuple[tuple[str, bytes], ...] = ()) -> None:
        self._trailing = Metadata(*trailing)

    async def __call__(self, *_: object, **__: object) -> object:
        internal = grpc.StatusCode.INTERNAL
        raise grpc.aio.AioRpcError(internal, Metadata(), self._trailing, "Internal error from Core")


@pytest.mark.parametrize(("seconds", "reason"), [(0.0, Reason.DEADLINE_EXCEEDED), (60.0, Reason.INTERNAL)])
async def test_a_write_that_the_deadline_ends_raises_out_of_time(seconds: float, reason: Reason) -> None:
    with pytest.raises(SellergateError) as caught:
        await invoke_client_stream(Broken(), [], dependency="gateway", seconds=seconds)  # type: ignore[arg-type]
    assert caught.value.reason is reason


def test_a_dead_connection_is_found_within_the_same_time_by_either_kind_of_ping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(grpc.aio, "secure_channel", lambda *_, options: given.update(options))
    open_channel("ipv4:127.0.0.1:1", "token", Identity(b"", b"", b""), [])
    assert given["grpc.keepalive_timeout_ms"] == KEEPALIVE_TIMEOUT_MILLISECONDS
    assert given["grpc.http2.ping_timeout_ms"] == KEEPALIVE_TIMEOUT_MILLISECONDS
