"""Readers of streaming RPCs for end-to-end tests."""

from typing import Any

import grpc
from sellergate_common.rpc.channel import from_rpc_error


async def all_of(call: Any) -> list[Any]:
    """Return every message of a stream. Raises SellergateError."""
    try:
        return [message async for message in call]
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, "gateway") from None


def text_of(messages: list[Any]) -> bytes:
    """Return the bytes of a document's messages."""
    return b"".join(message.chunk for message in messages if message.WhichOneof("part") == "chunk")
