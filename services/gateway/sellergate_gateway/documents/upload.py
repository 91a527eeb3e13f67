"""Uploads: a document is announced to Amazon with its exact content type, and its bytes are put to the address that Amazon gives.

The store requires the length of the body. A caller that names the size may stream; a small document is held in memory, and is
sent again if the transfer fails. A stream that is not held is never sent twice.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_amazon.headers import is_plain_value
from sellergate_common.errors import InvalidRequest

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.documents.errors import refused, transfer_failed, unavailable
from sellergate_gateway.documents.ports import ConnectionBroken, DocumentResponse, DocumentStore, Forbidden
from sellergate_gateway.documents.retries import Retries, TransferTime
from sellergate_gateway.spapi.request import SpApiCall
from sellergate_gateway.spapi.response import object_of

MOST_HELD_BYTES = 16 * 1024 * 1024
CREATE = "feeds/2021-06-30/createFeedDocument"
_TRANSIENT = frozenset({408, 429})
# S3's error codes (API reference, "Error responses") whose remedy is to send the bytes again; the second kind to a new address.
_TRANSIENT_CODES, _ENDED_CODES = frozenset({"RequestTimeout", "IncompleteBody"}), frozenset({"ExpiredToken"})
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_EXPIRED = b"has expired"
_MOST_ERROR_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A document to upload; `size` in bytes, 0: unknown."""

    account_id: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class _Announced:
    """A document that was announced to Amazon, and the address for its bytes."""

    document_id: str
    url: SecretStr


class _AddressEnded(ConnectionBroken):
    """An upload address that has expired."""


class Uploads:
    """Uploads of feed documents."""

    def __init__(self, calls: Calls, store: DocumentStore, time: TransferTime) -> None:
        self._calls = calls
        self._store = store
        self._time = time

    async def upload(self, upload: Upload, chunks: AsyncIterator[bytes], user: str) -> str:
        """Upload a document and return its id for a feed.

        Raises InvalidRequest, Unavailable, AmazonRefused for a final refusal of the store, and what a call raises.
        """
        if not is_plain_value(upload.content_type):
            raise InvalidRequest.of_field(
                "head.content_type", "must be printable ASCII, as the store's signature covers it"
            )
        if upload.size <= MOST_HELD_BYTES:
            return await self._upload_held(upload, await _hold(chunks, upload.size), user)
        announced = await self._announce(upload, user)
        try:
            await self._put(announced, upload, upload.size, _exactly(chunks, upload.size))
        except ConnectionBroken as error:
            # The stream is spent.
            raise transfer_failed("The upload", error) from None
        return announced.document_id

    async def _upload_held(self, upload: Upload, held: bytes, user: str) -> str:
        retries, announced = Retries(self._time), await self._announce(upload, user)
        while True:
            try:
                # The same bytes at the same address are the same document, whether or not an earlier attempt arrived.
                await self._put(announced, upload, len(held), _once(held))
            except ConnectionBroken as error:
                if not await retries.wait(error.retry_after):
                    raise transfer_failed("The upload", error) from None
                if isinstance(error, _AddressEnded):
                    announced = await self._announce(upload, user)
            else:
                return announced.document_id

    async def _announce(self, upload: Upload, user: str) -> _Announced:
        body = json.dumps({"contentType": upload.content_type}).encode()
        done = await self._calls.make(SpApiCall(upload.account_id, operation=CREATE, body=body), user)
        try:
            response = object_of(done.response)
            return _Announced(parsing.text_in(response, "feedDocumentId"), SecretStr(parsing.token_in(response, "url")))
        except parsing.ParseError:
            raise unavailable("Amazon's response has no address to upload to. Try again.") from None

    async def _put(self, announced: _Announced, upload: Upload, size: int, chunks: AsyncIterator[bytes]) -> None:
        """Send the bytes once. Raises ConnectionBroken if they may be sent again, AmazonRefused if that is of no use."""
        url = announced.url.get_secret_value()
        try:
            response = await self._store.put(url, upload.content_type, size, chunks)
        except Forbidden as error:
            raise unavailable(f"Sellergate does not use Amazon's address to upload to: {error}.") from None
        if response.status // 100 != 2:  # noqa: PLR2004  (the class of success)
            await _refuse(response)


async def _refuse(response: DocumentResponse) -> None:
    """Raise ConnectionBroken or AmazonRefused for a store's refusal."""
    body = b""
    async for chunk in response.chunks:
        body += chunk[: _MOST_ERROR_BYTES - len(body)]
    found = _CODE.search(body)
    code = found[1].decode() if found else ""
    cause = f"HTTP {response.status} {code}".rstrip()
    if code in _ENDED_CODES or (code == "AccessDenied" and _EXPIRED in body):
        raise _AddressEnded(cause)
    if response.status in _TRANSIENT or response.status >= 500 or code in _TRANSIENT_CODES:  # noqa: PLR2004
        pause = parsing.retry_after(response.header("retry-after"), response.header("date"))
        raise ConnectionBroken(cause, retry_after=pause or 0.0)
    advice = "Check the content type and the size"
    if code == "SignatureDoesNotMatch":
        advice = "Amazon's address is signed for the announced content type; check that the content type is plain ASCII"
    raise refused(
        f"The document store refused the upload ({cause}). {advice}; sending the same again is of no use.",
        {"http_status": str(response.status), "amazon_code": code},
    )


async def _hold(chunks: AsyncIterator[bytes], size: int) -> bytes:
    """Return the chunks as one. Raises InvalidRequest unless they have `size` bytes; 0: unless they fit into memory."""
    held = bytearray()
    async for chunk in _exactly(chunks, size) if size else chunks:
        held += chunk
        if len(held) > MOST_HELD_BYTES:
            raise InvalidRequest.of_field(
                "head.size",
                f"is needed for documents above {MOST_HELD_BYTES} bytes: they are streamed to Amazon as they come",
            )
    return bytes(held)


async def _exactly(chunks: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Yield the chunks. Raises InvalidRequest unless they have `size` bytes in total."""
    sent = 0
    async for chunk in chunks:
        sent += len(chunk)
        if sent > size:
            break
        yield chunk
    if sent != size:
        more = "more" if sent > size else "fewer"
        raise InvalidRequest.of_field(
            "head.size", f"says {size} bytes, and there were {more}; nothing was stored; send the right size"
        )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
