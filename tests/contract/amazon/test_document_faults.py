"""Documents of a failing store: they arrive complete and correct to the byte; tests/system has one of 2 GB."""

import asyncio
import hashlib
import itertools
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.errors import Reason, SellergateError
from sellergate_gateway.calls.state import CallResult
from sellergate_gateway.documents.addresses import Kind
from sellergate_gateway.documents.aiohttp_store import open_documents
from sellergate_gateway.documents.download import MOST_ADDRESSES, Documents, Head
from sellergate_gateway.documents.retries import TransferTime
from sellergate_gateway.documents.upload import Upload, Uploads
from sellergate_gateway.spapi.http import AmazonResponse

from tests.contract.amazon.failing_store import WAYS, failing_store

SIZE = 3_000_000
BODY = random.Random(1).randbytes(SIZE)
TIME = TransferTime(SYSTEM_CLOCK, left=lambda: 60.0, jitter=lambda: 0.0)


class Addresses:
    """A fake Amazon that returns the addresses of documents."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = 0

    async def make(self, call: Any, user: str, *_: Any) -> CallResult:
        self.requests += 1
        body = {"feedDocumentId": f"d{self.requests}", "url": self.url}
        return CallResult(AmazonResponse(200, (), json.dumps(body).encode()), None, 1, 0.0, 1)


async def download(url: str, time: TransferTime = TIME) -> bytes:
    calls: Any = Addresses(url)
    async with open_documents([url.rpartition("/")[0]]) as store:
        parts = Documents(calls, store, time).download("a", Kind.REPORT, "d", "u")
        return b"".join([part async for part in parts if not isinstance(part, Head)])


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sellergate_gateway.documents.aiohttp_store.SILENCE_SECONDS", 0.5)


async def test_a_document_of_a_failing_store_arrives_complete() -> None:
    async with failing_store(SIZE, SIZE // 15, lambda start, end: BODY[start:end]) as store:
        got = await download(f"{store.origin}/x")
    assert hashlib.sha256(got).digest() == hashlib.sha256(BODY).digest()
    assert set(store.seen) == set(WAYS)


@pytest.mark.parametrize("way", WAYS)
async def test_failures_at_the_start_and_on_resume_are_retried(way: str) -> None:
    ways = itertools.chain([way, "truncated", way], itertools.repeat("short"))
    async with failing_store(60_000, 20_000, lambda start, end: BODY[start:end], ways) as store:
        assert await download(f"{store.origin}/x") == BODY[:60_000]


async def test_addresses_that_serve_one_part_each_bring_a_long_document() -> None:
    """More addresses than may bring no byte in a row, since each of them brings some."""
    parts = 2 * MOST_ADDRESSES
    async with failing_store(
        SIZE, SIZE // parts, lambda start, end: BODY[start:end], itertools.cycle(["truncated", "403"])
    ) as store:
        assert await download(f"{store.origin}/x") == BODY
    assert store.seen.count("403") == parts - 1


async def test_addresses_without_any_byte_are_an_error_soon() -> None:
    ways = itertools.chain(["truncated"], itertools.repeat("403"))
    async with failing_store(60_000, 20_000, lambda start, end: BODY[start:end], ways) as store:
        with pytest.raises(SellergateError, match="addresses") as caught:
            await download(f"{store.origin}/x")
    assert (caught.value.reason, store.requests) == (Reason.AMAZON_UNAVAILABLE, 2 + MOST_ADDRESSES)


async def test_a_download_without_progress_fails_before_the_callers_deadline() -> None:
    ends = asyncio.get_running_loop().time() + 2.0
    time = TransferTime(SYSTEM_CLOCK, lambda: ends - asyncio.get_running_loop().time(), lambda: 0.0)
    ways = itertools.chain(["truncated"], itertools.repeat("503"))
    async with failing_store(60_000, 20_000, lambda start, end: BODY[start:end], ways) as store:
        with pytest.raises(SellergateError) as caught:
            await download(f"{store.origin}/x", time)
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert "HTTP 503" in caught.value.message
    assert store.requests > 3


class Bucket:
    """A store that accepts uploads after its first responses, and records them."""

    def __init__(self, *responses: web.Response | None) -> None:
        self.responses = list(responses)
        self.bodies = list[bytes]()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.bodies.append(await request.read())
        if not self.responses:
            return web.Response()
        response = self.responses.pop(0)
        if response is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return response


def refusal(status: int, code: str, message: str = "") -> web.Response:
    return web.Response(status=status, text=f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")


async def upload(bucket: Bucket, size: int, content: bytes) -> tuple[str, int]:
    """Return the id of the document, and how many documents Amazon made."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1 << 18):
            yield content[start : start + (1 << 18)]

    async with RawTestServer(bucket.handle) as server:
        origin = f"http://127.0.0.1:{server.port}"
        calls: Any = Addresses(f"{origin}/x")
        async with open_documents([origin]) as store:
            return await Uploads(calls, store, TIME).upload(
                Upload("a", "text/plain", size), chunks(), "u"
            ), calls.requests


@pytest.mark.parametrize("size", [0, 600_000])
async def test_held_bytes_are_sent_again(size: int) -> None:
    content = BODY[:600_000]
    bucket = Bucket(refusal(503, "SlowDown"), None, refusal(400, "RequestTimeout"))
    assert await upload(bucket, size, content) == ("d1", 1)
    assert bucket.bodies[0] == bucket.bodies[-1] == content
    assert len(bucket.bodies) == 4


async def test_an_expired_address_is_replaced() -> None:
    bucket = Bucket(refusal(403, "AccessDenied", "Request has expired"))
    assert await upload(bucket, 5, b"bytes") == ("d2", 2)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "SignatureDoesNotMatch"), (403, "AccessDenied"), (400, "EntityTooLarge"), (411, "")]
)
async def test_a_final_refusal_is_reported_at_once(status: int, code: str) -> None:
    bucket = Bucket(*[refusal(status, code)] * 3)
    with pytest.raises(SellergateError) as caught:
        await upload(bucket, 5, b"bytes")
    assert caught.value.reason is Reason.AMAZON_REJECTED
    assert caught.value.metadata == {"http_status": str(status), "amazon_code": code}
    assert ("is signed for the announced content type" in caught.value.message) is (code == "SignatureDoesNotMatch")
    assert len(bucket.bodies) == 1


async def test_a_stream_that_is_not_held_is_never_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sellergate_gateway.documents.upload.MOST_HELD_BYTES", 4)
    bucket = Bucket(refusal(503, "SlowDown"))
    with pytest.raises(SellergateError) as caught:
        await upload(bucket, 5, b"bytes")
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert len(bucket.bodies) == 1
