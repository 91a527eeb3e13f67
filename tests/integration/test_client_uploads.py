"""Uploads of the client library: any failure is one error that says what to do, and nothing stays half done."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import (
    GatewayServiceServicer,
    GatewayServiceStub,
    add_GatewayServiceServicer_to_server,
)
from sellergate_client.documents import streams
from sellergate_client.documents.streams import Documents
from sellergate_common.errors import AmazonRefused, Reason, SellergateError, Unavailable
from sellergate_common.rpc.channel import open_channel

from tests.conftest import TestAuthority
from tests.integration.servers import serving

TEXT = "text/plain; charset=utf-8"


class Gateway(GatewayServiceServicer):
    """A gateway that accepts uploads and records them."""

    def __init__(self) -> None:
        self.whole = list[bytes]()
        self.error: SellergateError | None = None
        self.failures = 0
        """The number of first uploads that fail."""
        self.uploads = 0

    async def UploadDocument(  # noqa: N802  (named by gRPC)
        self, requests: AsyncIterator[pb2.UploadDocumentRequest], context: Any
    ) -> pb2.UploadDocumentResponse:
        parts = [request.chunk async for request in requests]
        self.uploads += 1
        if self.uploads <= self.failures:
            raise Unavailable("The store is unavailable.", reason=Reason.AMAZON_UNAVAILABLE, retry_after=0.01)
        if self.error is not None:
            raise self.error
        self.whole.append(b"".join(parts))
        return pb2.UploadDocumentResponse(document_id="d1")


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def channel(authority: TestAuthority, gateway: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        serving("gateway", authority.identity("gateway"), {add_GatewayServiceServicer_to_server: gateway}) as target,
        open_channel(target, "gateway", authority.identity("operator"), []) as opened,
    ):
        yield opened


@pytest.fixture
def documents(channel: grpc.aio.Channel) -> Documents:
    return Documents(channel, GatewayServiceStub(channel))


async def test_bytes_files_and_streams_are_uploaded(documents: Documents, gateway: Gateway, tmp_path: Path) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"stre"
        yield b"am"

    file = tmp_path / "feed"
    file.write_bytes(b"file")
    for content in (b"bytes", file, stream()):
        assert await documents.upload("a", content, TEXT) == "d1"
    assert gateway.whole == [b"bytes", b"file", b"stream"]


async def test_a_failing_source_raises_the_callers_error(documents: Documents) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"half"
        raise FileNotFoundError("the rest")

    with pytest.raises(FileNotFoundError, match="the rest"):
        await documents.upload("a", source(), TEXT)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_caller_that_is_cancelled_stays_cancelled(documents: Documents) -> None:
    begun = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield b"half"
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(documents.upload("a", source(), TEXT))
    async with asyncio.timeout(20):
        await begun.wait()
        upload.cancel()
        await asyncio.wait({upload})
    assert upload.cancelled()


async def test_bytes_and_files_are_sent_again_and_streams_are_not(
    documents: Documents, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"stream"

    monkeypatch.setattr(streams, "HELD_BYTES", 4)
    file = tmp_path / "feed"
    file.write_bytes(b"a file")
    for content in (b"bytes", file):
        gateway.uploads, gateway.failures = 0, streams.MOST_UPLOADS - 1
        assert await documents.upload("a", content, TEXT) == "d1"
    assert gateway.whole == [b"bytes", b"a file"]
    for content, size, uploads in ((stream(), 6, 1), (b"four", 0, 1), (b"bytes", 0, streams.MOST_UPLOADS)):
        gateway.uploads, gateway.failures = 0, 99
        with pytest.raises(Unavailable):
            await documents.upload("a", content, TEXT, size=size)
        assert gateway.uploads == uploads


async def test_a_refusal_is_raised_unchanged(documents: Documents, gateway: Gateway) -> None:
    gateway.error = AmazonRefused("Amazon refuses it.", reason=Reason.AMAZON_REJECTED)
    with pytest.raises(AmazonRefused, match="refuses it"):
        await documents.upload("a", b"x", TEXT)


async def test_a_closed_channel_is_unavailable_and_sends_nothing(
    documents: Documents, gateway: Gateway, channel: grpc.aio.Channel
) -> None:
    await channel.close()
    with pytest.raises(Unavailable, match="nothing was sent"):
        await documents.upload("a", b"x", TEXT)
    assert not gateway.whole
