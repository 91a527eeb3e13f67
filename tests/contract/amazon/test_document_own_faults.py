"""Faults of this process and its machine in transfers of documents: reported as its own, never as Amazon's."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.errors import Reason, SellergateError
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_gateway.calls.state import CallResult
from sellergate_gateway.documents.addresses import Kind
from sellergate_gateway.documents.aiohttp_store import AiohttpDocuments, PublicResolver, open_documents
from sellergate_gateway.documents.download import Documents
from sellergate_gateway.documents.ports import ConnectionBroken, Forbidden
from sellergate_gateway.documents.retries import TransferTime
from sellergate_gateway.documents.upload import Upload, Uploads
from sellergate_gateway.spapi.http import AmazonResponse

from tests.contract.amazon.test_document_hosts import Resolves
from tests.contract.amazon.test_spapi_own_faults import no_descriptors


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    """A server of documents on loopback."""

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b"whole")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    yield f"http://{LOOPBACK}:{port}"
    await runner.cleanup()


@pytest.fixture
async def documents(origin: str) -> AsyncIterator[AiohttpDocuments]:
    async with open_documents([origin, "*.invalid"]) as opened:
        yield opened


class Addresses:
    """Calls of SP-API, counted, each of which returns the address of a document."""

    def __init__(self, url: str) -> None:
        self.made = 0
        document = {"reportDocumentId": "d", "feedDocumentId": "d", "url": url}
        self.response = AmazonResponse(200, (("content-type", "application/json"),), json.dumps(document).encode())

    async def make(self, *_: Any) -> CallResult:
        self.made += 1
        return CallResult(self.response, None, 1, 0.0, 1)


NO_TIME = TransferTime(SYSTEM_CLOCK, left=lambda: 0.0, jitter=lambda: 0.0)


async def content() -> AsyncIterator[bytes]:
    yield b"x"


async def read(documents: AiohttpDocuments, url: str) -> bytes:
    async with documents.get(url, ()) as fetched:
        return b"".join([chunk async for chunk in fetched.chunks])


async def test_missing_descriptors_are_an_own_fault(documents: AiohttpDocuments, origin: str) -> None:
    with no_descriptors(), pytest.raises(ConnectionBroken) as caught:
        await read(documents, f"{origin}/x")
    assert caught.value.own
    with no_descriptors(), pytest.raises(ConnectionBroken) as caught:
        await documents.put(f"{origin}/x", "text/plain", 1, content())
    assert caught.value.own
    assert await read(documents, f"{origin}/x") == b"whole"


async def test_a_name_that_cannot_be_resolved_is_an_own_fault(documents: AiohttpDocuments) -> None:
    with pytest.raises(ConnectionBroken) as caught:
        await read(documents, "https://no-such-host.invalid/x")
    assert caught.value.own


async def test_a_host_that_refuses_is_not_an_own_fault() -> None:
    (port,) = free_ports(1)
    async with open_documents([f"http://{LOOPBACK}:{port}"]) as documents:
        with pytest.raises(ConnectionBroken) as caught:
            await read(documents, f"http://{LOOPBACK}:{port}/x")
    assert not caught.value.own


async def test_a_name_with_a_private_address_is_refused_without_a_fault() -> None:
    connector = aiohttp.TCPConnector(resolver=PublicResolver(Resolves("10.0.0.8")))
    async with aiohttp.ClientSession(connector=connector) as session:
        documents = AiohttpDocuments(session, session, ["bucket.s3.amazonaws.com"])
        with pytest.raises(Forbidden, match="not public"):
            await read(documents, "https://bucket.s3.amazonaws.com/x")


@pytest.fixture
def reported() -> Iterator[list[SellergateError]]:
    """The errors of a test, which must be the gateway's own."""
    errors = list[SellergateError]()
    yield errors
    assert errors
    for error in errors:
        assert error.reason is Reason.DEPENDENCY_UNAVAILABLE
        assert error.metadata == {"dependency": "gateway"}
        assert error.retry_after


async def test_callers_get_an_error_about_the_gateways_own_fault(
    documents: AiohttpDocuments, origin: str, reported: list[SellergateError]
) -> None:
    addresses: Any = Addresses(f"{origin}/x")
    download = Documents(addresses, documents, NO_TIME).download("a", Kind.REPORT, "d", "u")
    with no_descriptors(), pytest.raises(SellergateError) as caught:
        await anext(download)
    reported.append(caught.value)
    addresses.made = 0
    with no_descriptors(), pytest.raises(SellergateError) as caught:
        await Uploads(addresses, documents, NO_TIME).upload(Upload("a", "text/plain", 0), content(), "u")
    reported.append(caught.value)
    assert addresses.made == 1, "no further document is created at Amazon"
