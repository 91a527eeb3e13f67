"""Targets: the addresses, stores and bytes of report and feed documents."""

import gzip
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import SimpleNamespace
from typing import Any

from tests.fuzz.parsers.inputs import NEXT, Http, as_json, http, http_of, responses_of
from tests.fuzz.parsers.target import CANARY, Parser, Target, finished

DOCUMENTS = "sellergate_gateway.documents"
_MOST_BYTES = 4 * 1024 * 1024
_TABLE = b"sku\tprice\nA\t1.5\nB\t\n"


def _response(one: Http) -> Any:
    from sellergate_gateway.documents.ports import DocumentResponse

    return DocumentResponse(one.status, one.headers, _chunks(one.body))


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    """Yield a body in pieces of seven bytes at first, so that marks are cut."""
    for begin in range(0, min(len(body), 70), 7):
        yield body[begin : begin + 7]
    yield body[70:]


def document_address() -> Parser:
    from sellergate_common.errors import Unavailable
    from sellergate_gateway.documents.addresses import Kind, Named, request_address
    from sellergate_gateway.spapi.http import AmazonResponse

    def read(data: bytes) -> object:
        one = http_of(data)
        response = AmazonResponse(one.status, one.headers, one.body)

        class Calls:
            async def make(self, *_: object) -> object:
                return SimpleNamespace(response=response)

        return [finished(request_address(Calls(), Named("a", kind, "d", "u"))) for kind in Kind]  # type: ignore[arg-type]

    address = {"reportDocumentId": "d", "url": f"https://a.test/{CANARY}", "compressionAlgorithm": "GZIP"}
    seeds = (http(200, address), http(200, address | {"documentUrl": "https://b.test/", "url": 5}), http(200, b"<a>"))
    return Parser(read, (Unavailable,), seeds)


def document_download() -> Parser:
    """A download in several responses of the store: it ends with the bytes or an error, and no piece is large."""
    from sellergate_common.clock import Clock
    from sellergate_common.errors import NotFound, Unavailable
    from sellergate_gateway.documents.addresses import Kind
    from sellergate_gateway.documents.download import Documents, Head
    from sellergate_gateway.documents.gunzip import PIECE_BYTES
    from sellergate_gateway.documents.ports import ConnectionBroken
    from sellergate_gateway.documents.retries import TransferTime
    from sellergate_gateway.spapi.http import AmazonResponse

    async def sleep(_: float) -> None:
        return None

    clock = Clock(monotonic=lambda: 0.0, wall=lambda: 1e9, sleep=sleep)

    async def download(data: bytes) -> int:
        address = {"url": "https://a.test/", **({"compressionAlgorithm": "GZIP"} if data[:1] == b"Z" else {})}
        left = responses_of(data[1:])

        class Calls:
            async def make(self, *_: object) -> object:
                return SimpleNamespace(response=AmazonResponse(200, (), as_json(address)))

        class Store:
            @asynccontextmanager
            async def get(self, *_: object) -> AsyncIterator[Any]:
                one = next(left, None)
                if one is None:
                    raise ConnectionBroken("no more")
                yield _response(one)

        time = TransferTime(clock, lambda: 50.0, lambda: 0.0)
        size = 0
        parts = Documents(Calls(), Store(), time).download("a", Kind.REPORT, "d", "u", 3.0)  # type: ignore[arg-type]
        async with aclosing(parts):
            async for part in parts:
                if not isinstance(part, Head):
                    size += len(part)
                    assert len(part) <= max(PIECE_BYTES, len(data))
                if size > _MOST_BYTES:
                    break
        return size

    packed = gzip.compress(_TABLE * 9, mtime=0)
    whole = http(200, packed, content_length=str(len(packed)), etag='"e"', content_type="text/plain; charset=UTF-8")
    rest = http(206, packed[20:], content_range=f"bytes 20-{len(packed) - 1}/{len(packed)}", etag='"e"')
    cut = http(200, packed[:20], content_length=str(len(packed)), etag='"e"')
    seeds = (
        b"Z" + whole,
        b"Z" + NEXT.join((cut, http(503, b"", retry_after="1"), rest)),
        b"Z" + NEXT.join((cut, http(416, b"", content_range=f"bytes */{len(packed)}"), whole)),
        b"Z" + NEXT.join((http(403, b"<Code>AccessDenied</Code>"), whole)),
        b"P" + http(200, _TABLE, content_type='text/plain; charset="cp1252"'),
        b"P" + NEXT.join((http(200, _TABLE[:9], etag='"e"', content_length="22"), http(404))),
        b"Z" + http(200, gzip.compress(bytes(10**7), mtime=0)),
        b"P" + http(200, packed + packed, content_encoding="gzip"),
    )
    return Parser(lambda data: finished(download(data)), (NotFound, Unavailable), seeds)


def store_refusal() -> Parser:
    from sellergate_common.errors import AmazonRefused
    from sellergate_gateway.documents.ports import ConnectionBroken
    from sellergate_gateway.documents.upload import _refuse

    xml = "<Error><Code>{}</Code><Message>Request has expired</Message></Error>"
    codes = ("AccessDenied", "SignatureDoesNotMatch", "ExpiredToken", "RequestTimeout", "EntityTooLarge")
    seeds = [http(403, xml.format(code).encode()) for code in codes]
    seeds += [http(503, b"", retry_after="--jan 1 2:2 x", date="x"), http(429, b"", retry_after="7")]
    errors = (ConnectionBroken, AmazonRefused)
    return Parser(lambda data: finished(_refuse(_response(http_of(data)))), errors, tuple(seeds))


def report_reason() -> Parser:
    """The text of a failed report is shown as it is, whatever its bytes and its charset are."""
    from sellergate_gateway.documents.download import Head
    from sellergate_gateway.reports.reasons import MOST_CHARACTERS, read_reason

    async def download(one: Http) -> Any:
        yield Head(one.word, "", 0)
        async for chunk in _chunks(one.body):
            yield chunk

    def read(data: bytes) -> object:
        found: str = finished(read_reason(download(http_of(data))))
        assert len(found) <= MOST_CHARACTERS
        found.encode()
        return found

    charsets = ("", "utf-8", "cp1252", "shift_jis", "utf-16", "hex", "rot13", "zlib", "idna", "undefined", "x\0y")
    return Parser(read, (), tuple(http(200, b"No data. \xe9", word=word) for word in charsets))


def document_url() -> Parser:
    """Addresses of documents: those of listed hosts, and no others."""
    from pydantic import SecretStr
    from sellergate_amazon import parsing
    from sellergate_common.outbound.route import Route
    from sellergate_gateway.documents.aiohttp_store import AiohttpDocuments, is_public
    from sellergate_gateway.documents.ports import Forbidden

    route = Route({"https": SecretStr("http://proxy.test:3128")}, "localhost,10.0.0.0/8,.internal.test:443")
    stores = [
        AiohttpDocuments(None, None, ("*.amazonaws.com", "http://127.0.0.1:3900"), one)  # type: ignore[arg-type]
        for one in (Route({}), route)
    ]

    def read(data: bytes) -> object:
        is_public(data.decode("latin-1"))
        # The reader of Amazon's response accepts only such a text as an address.
        text = parsing.token_in({"url": data.decode("latin-1")}, "url")
        for store in stores:
            address, _ = store._check_url(text)
            assert str(address.origin()) == "http://127.0.0.1:3900" or str(address.host).lower().endswith(
                ".amazonaws.com"
            )
        return None

    seeds = (
        b"https://tortuga-prod-na.s3.amazonaws.com/a%2Fb?X-Amz-Signature=" + CANARY.encode(),
        b"https://user:password@a.amazonaws.com:443/",
        b"http://127.0.0.1:3900/documents/1",
        b"https://[::1]/",
        b"https://a.amazonaws.com.evil.test\\@b.amazonaws.com/",
        b"2001:0:53aa:64c::",
    )
    return Parser(read, (Forbidden, parsing.ParseError), seeds)


def table_rows() -> Parser:
    """Rows of a table for callers of the client library; declared types are applied."""
    from sellergate_client.documents.rows import RowError, rows_of

    async def rows(one: Http) -> int:
        count = 0
        async for row in rows_of(_chunks(one.body), lambda: one.word, {"price": float}):
            count += len(row)
        return count

    comma = b'sku,price\r\n"a, ""b""",1\r\n"two\r\nlines",\r\n'
    charsets = ("", "cp1252", "utf-16", "shift_jis", "hex", "rot13", "bz2", "idna", "x\0y")
    seeds = [http(200, _TABLE, word=word) for word in charsets]
    seeds += [
        http(200, comma),
        http(200, b"\xef\xbb\xbf" + comma),
        http(200, _TABLE.decode().encode("utf-16"), word="utf-16"),
    ]
    return Parser(lambda data: finished(rows(http_of(data))), (RowError,), tuple(seeds))


TARGETS = (
    Target("document-address", (f"{DOCUMENTS}.addresses",), document_address),
    Target(
        "document-download",
        (f"{DOCUMENTS}.download", f"{DOCUMENTS}.gunzip", f"{DOCUMENTS}.position"),
        document_download,
    ),
    Target("store-refusal", (f"{DOCUMENTS}.upload",), store_refusal),
    Target("report-reason", ("sellergate_gateway.reports.reasons",), report_reason),
    Target("document-url", (f"{DOCUMENTS}.aiohttp_store", "sellergate_common.outbound.route"), document_url),
    Target("table-rows", ("sellergate_client.documents.rows",), table_rows),
)
