"""The documents of reports and feeds behind presigned URLs, as in Amazon's S3.

A URL is valid for five minutes, for one document and one method, and an upload must repeat exactly the announced
content type (Amazon's guides to Reports and Feeds). SP-API's headers are refused, as by S3.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from aiohttp import web

from sellergate_simulator.clock import Clock
from sellergate_simulator.control.faults import DOCUMENT_KINDS, Faults
from sellergate_simulator.http.bodies import read_body
from sellergate_simulator.http.delivery import truncated
from sellergate_simulator.http.responses import Response

URL_LIFE_SECONDS = 300
_OK, _PARTIAL, _FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED = 200, 206, 403, 404, 405
_LENGTH_REQUIRED, _RANGE, _NOT_IMPLEMENTED = 411, 416, 501
_FROM = re.compile(r"bytes=([0-9]{1,18})-")


@dataclass(slots=True)
class Document:
    """A document with its content type. `content` is None until the announced upload has arrived."""

    content_type: str
    content: bytes | None = None
    gzipped: bool = False


class Documents:
    """All documents by ID, and the handler of their URLs on the main port."""

    def __init__(self, clock: Clock, port: Callable[[], int], faults: Faults, base_url: str = "") -> None:
        """`base_url` begins every URL; empty: the caller's host name, and what `port` returns once the server listens."""
        self._base_url = base_url
        self._faults = faults
        self._clock = clock
        self._port = port
        self._key = secrets.token_bytes(32)
        self._documents: dict[str, Document] = {}

    def add(self, document: Document) -> str:
        """Store a document and return its new ID."""
        document_id = f"amzn1.tortuga.4.{uuid4()}.{secrets.token_hex(6).upper()}"
        self._documents[document_id] = document
        return document_id

    def get(self, document_id: str) -> Document | None:
        """Return a document."""
        return self._documents.get(document_id)

    def download_url(self, document_id: str, hostname: str, *, content_encoding: bool) -> str:
        """Return a URL for GET. `content_encoding`: the response declares gzip, so that clients decompress it."""
        extra = {"response-content-encoding": "gzip"} if content_encoding else {}
        return self._url("GET", document_id, hostname, "host", extra)

    def upload_url(self, document_id: str, hostname: str) -> str:
        """Return a URL for PUT."""
        return self._url("PUT", document_id, hostname, "content-type;host", {})

    async def handle(self, request: web.BaseRequest, path: str, raw_query: str) -> web.StreamResponse:
        """Handle a request for /documents/…."""
        fault = self._faults.take(DOCUMENT_KINDS)
        kind = fault.kind if fault else ""
        if kind == "document_expired":
            return _s3_error(_FORBIDDEN, "AccessDenied", "Request has expired").to_aiohttp()
        if kind == "document_503":
            return _s3_error(503, "SlowDown", "Please reduce your request rate.").to_aiohttp()
        response = await self._respond(request, path, raw_query)
        if kind == "document_cut" and request.method == "GET":
            return await truncated(request, response)
        return response.to_aiohttp()

    async def _respond(self, request: web.BaseRequest, path: str, raw_query: str) -> Response:
        document_id = path.removeprefix("/documents/")
        document = self._documents.get(document_id)
        refusal = self._refusal(request, document_id, dict(parse_qsl(raw_query)))
        if refusal is not None:
            return refusal
        if document is None:
            return _s3_error(_NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
        if request.method == "GET":
            return _download(request, document, encoded="response-content-encoding=gzip" in raw_query)
        return await _upload(request, document)

    def _url(self, method: str, document_id: str, hostname: str, signed_headers: str, extra: dict[str, str]) -> str:
        query = {
            **extra,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": str(int(self._clock.wall())),
            "X-Amz-Expires": str(URL_LIFE_SECONDS),
            "X-Amz-SignedHeaders": signed_headers,
        }
        query["X-Amz-Signature"] = self._signature(method, document_id, query)
        base_url = self._base_url or f"http://{hostname}:{self._port()}"
        return f"{base_url}/documents/{document_id}?{urlencode(query)}"

    def _signature(self, method: str, document_id: str, query: dict[str, str]) -> str:
        covered = {name: value for name, value in query.items() if name != "X-Amz-Signature"}
        text = f"{method}\n{document_id}\n{urlencode(sorted(covered.items()))}"
        return hmac.new(self._key, text.encode(), sha256).hexdigest()

    def _refusal(self, request: web.BaseRequest, document_id: str, query: dict[str, str]) -> Response | None:
        if request.method not in {"GET", "PUT"}:
            return _s3_error(_NOT_ALLOWED, "MethodNotAllowed", "The specified method is not allowed.")
        if "Authorization" in request.headers:
            return _s3_error(400, "InvalidArgument", "Only one auth mechanism allowed.")
        if "x-amz-access-token" in request.headers:
            message = "There were headers present in the request which were not signed"
            return _s3_error(_FORBIDDEN, "AccessDenied", message)
        expected = self._signature(request.method, document_id, query)
        if not hmac.compare_digest(expected.encode(), query.get("X-Amz-Signature", "").encode()):
            return _s3_error(_FORBIDDEN, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if int(query["X-Amz-Date"]) + URL_LIFE_SECONDS < self._clock.wall():
            return _s3_error(_FORBIDDEN, "AccessDenied", "Request has expired")
        return None


def _download(request: web.BaseRequest, document: Document, *, encoded: bool) -> Response:
    content = document.content
    if content is None:
        return _s3_error(_NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
    headers = {"Content-Encoding": "gzip"} if encoded and document.gzipped else {}
    headers |= {"ETag": f'"{sha256(content).hexdigest()[:32]}"', "Accept-Ranges": "bytes"}
    wanted = _FROM.fullmatch(request.headers.get("Range", ""))
    if wanted is None or request.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
        return Response(_OK, content, document.content_type, headers)
    start = int(wanted[1])
    if start >= len(content):
        return _s3_error(_RANGE, "InvalidRange", "The requested range is not satisfiable")
    headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Response(_PARTIAL, content[start:], document.content_type, headers)


async def _upload(request: web.BaseRequest, document: Document) -> Response:
    if request.headers.get("Content-Type") != document.content_type:
        return _s3_error(_FORBIDDEN, "SignatureDoesNotMatch", "The content type is not the one that was signed.")
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        # S3 accepts no body of unknown length.
        return _s3_error(
            _NOT_IMPLEMENTED, "NotImplemented", "A header you provided implies functionality that is not implemented."
        )
    if "Content-Length" not in request.headers:
        return _s3_error(_LENGTH_REQUIRED, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    document.content = await read_body(request)
    return Response(_OK)


def _s3_error(status: int, code: str, message: str) -> Response:
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(status, xml.encode(), "application/xml")
