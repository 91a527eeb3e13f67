"""Documents of reports, feeds and Data Kiosk: their address asked for, the bytes streamed, unpacked, and resumed where they broke.

Amazon's guides to Reports and Feeds: an address lives five minutes and takes no credentials; compression is named beside it.
"""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from email.message import Message
from enum import StrEnum

from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_common.errors import AmazonRefused, NotFound, Reason, Resource, Unavailable

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.documents.gunzip import Gunzip
from sellergate_gateway.documents.ports import ConnectionBroken, DocumentResponse, DocumentServer, Forbidden
from sellergate_gateway.spapi.request import SpApiCall
from sellergate_gateway.spapi.response import object_of

# How often in a row a document may break without a byte more, and how often its address may be asked for again.
MOST_BREAKS, MOST_ADDRESSES = 5, 5
_OK, _PARTIAL, _FORBIDDEN, _NOT_FOUND = 200, 206, 403, 404


class Kind(StrEnum):
    """Which API a document belongs to."""

    REPORT = "REPORT"
    FEED = "FEED"
    DATA_KIOSK = "DATA_KIOSK"


_ASKING = {
    Kind.REPORT: ("reports/2021-06-30/getReportDocument", "reportDocumentId", "url"),
    Kind.FEED: ("feeds/2021-06-30/getFeedDocument", "feedDocumentId", "url"),
    Kind.DATA_KIOSK: ("data-kiosk/2023-11-15/getDocument", "documentId", "documentUrl"),
}


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a document before its bytes. `size` as transferred, 0: not named."""

    charset: str
    content_type: str
    size: int


@dataclass(slots=True)
class _Download:
    """One document on its way. `done` counts bytes as transferred."""

    account_id: str
    kind: Kind
    document_id: str
    user: str
    url: SecretStr = field(default_factory=lambda: SecretStr(""))
    packed: bool = False
    addresses: int = 0
    etag: str = ""
    done: int = 0
    begun: bool = False
    breaks: int = 0


class Documents:
    """Downloads. `server` is what stands behind the presigned addresses."""

    def __init__(self, calls: Calls, server: DocumentServer) -> None:
        self._calls = calls
        self._server = server

    async def download(
        self, account_id: str, kind: Kind, document_id: str, user: str
    ) -> AsyncGenerator[Head | bytes, None]:
        """Yield the head, then the bytes, decompressed. Raises what a call raises; NotFound, Unavailable."""
        run = _Download(account_id, kind, document_id, user)
        await self._ask(run)
        unpack = Gunzip()
        try:
            async with aclosing(self._raw(run)) as parts:
                async for part in parts:
                    if isinstance(part, Head) or not run.packed:
                        yield part
                    else:
                        for piece in unpack.feed(part):
                            yield piece
            if run.packed:
                for piece in unpack.finish():
                    yield piece
        except zlib.error as error:
            raise _unavailable(f"The document is not what Amazon says: its gzip cannot be undone ({error}).") from None

    async def _raw(self, run: _Download) -> AsyncGenerator[Head | bytes, None]:
        """Yield the head, then the bytes as they are, resumed where the connection broke."""
        while True:
            resumed = (("range", f"bytes={run.done}-"), ("if-range", run.etag)) if run.done and run.etag else ()
            try:
                async with self._server.get(run.url.get_secret_value(), resumed) as fetched:
                    if fetched.status == _FORBIDDEN:
                        # The address has ended, after five minutes; a new one stands for the same document.
                        await self._ask(run)
                        continue
                    skip = self._skip(run, fetched)
                    if not run.begun:
                        run.begun = True
                        yield _head(fetched, run)
                    async for chunk in fetched.chunks:
                        fresh = chunk[skip:]
                        skip = max(0, skip - len(chunk))
                        if fresh:
                            run.done += len(fresh)
                            run.breaks = 0
                            yield fresh
                    return
            except ConnectionBroken as error:
                run.breaks += 1
                if run.breaks > MOST_BREAKS:
                    words = f"The document's connection broke again and again ({error}). Try again."
                    raise (own_fault(error) if error.own else _unavailable(words)) from None
            except Forbidden as error:
                raise _unavailable(f"Amazon's address of the document is refused by us: {error}.") from None

    def _skip(self, run: _Download, fetched: DocumentResponse) -> int:
        """Return how many bytes of this response were had before. Raises NotFound, Unavailable."""
        if fetched.status == _NOT_FOUND:
            raise _not_found(run)
        if fetched.status not in (_OK, _PARTIAL):
            raise _unavailable(f"The document's server answered {fetched.status}. Try again.")
        etag = fetched.header("etag")
        if run.begun and etag != run.etag:
            raise _unavailable("The document has changed while it was read. Try again.")
        run.etag = etag
        return 0 if fetched.status == _PARTIAL else run.done

    async def _ask(self, run: _Download) -> None:
        """Ask Amazon for the document's address. Raises what a call raises."""
        operation, parameter, name = _ASKING[run.kind]
        run.addresses += 1
        if run.addresses > MOST_ADDRESSES:
            raise _unavailable("The addresses that Amazon gives for the document do not work. Try again later.")
        call = SpApiCall(run.account_id, operation=operation, path_params={parameter: run.document_id})
        done = await self._calls.make(call, run.user)
        try:
            response = object_of(done.response)
            run.url = SecretStr(parsing.token_in(response, name))
        except parsing.ParseError:
            raise _unavailable("Amazon's answer holds no address of the document. Try again.") from None
        run.packed = run.packed or response.get("compressionAlgorithm") == "GZIP"


def _head(fetched: DocumentResponse, run: _Download) -> Head:
    content_type = fetched.header("content-type")
    run.packed = run.packed or fetched.header("content-encoding").lower() == "gzip"
    parsed = Message()
    parsed["content-type"] = content_type
    size = fetched.header("content-length")
    return Head(
        str(parsed.get_content_charset() or ""), content_type, int(size) if size.isascii() and size.isdecimal() else 0
    )


def _not_found(run: _Download) -> NotFound:
    return NotFound(
        "Amazon does not have this document any more.",
        reason=Reason.AMAZON_NOT_FOUND,
        resource=Resource("document", run.document_id),
    )


def _unavailable(words: str) -> Unavailable:
    return Unavailable(words, reason=Reason.AMAZON_UNAVAILABLE, retry_after=1.0)


def own_fault(error: ConnectionBroken) -> Unavailable:
    """Return the error of a connection to a document's server that this process could not open."""
    return Unavailable(
        f"The gateway cannot open a connection ({error}): it lacks descriptors, a resolver or trusted certificates. Try again.",
        metadata={"dependency": "gateway"},
        retry_after=1.0,
    )


def refused(words: str, **metadata: str) -> AmazonRefused:
    """Return the error of what Amazon did not make."""
    return AmazonRefused(words, reason=Reason.AMAZON_REJECTED, metadata=metadata)
