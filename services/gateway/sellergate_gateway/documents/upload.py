"""Uploads: a document announced to Amazon with its exact content type, and its bytes put to the address that it gives.

The server behind that address takes no body of unknown length. Who names the size streams; what is small and of unknown size is
held in memory first, and can then be sent again when the connection breaks.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sellergate_amazon import parsing
from sellergate_common.errors import InvalidRequest, Reason, Unavailable

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.documents.download import own_fault
from sellergate_gateway.documents.ports import ConnectionBroken, DocumentServer, Forbidden
from sellergate_gateway.spapi.request import SpApiCall
from sellergate_gateway.spapi.response import object_of

MOST_HELD_BYTES = 16 * 1024 * 1024
MOST_ATTEMPTS = 3
CREATE = "feeds/2021-06-30/createFeedDocument"


@dataclass(frozen=True, slots=True)
class Upload:
    """What will be uploaded; `size` in bytes, 0: not named."""

    account_id: str
    content_type: str
    size: int


class Uploads:
    """Uploads of feed documents."""

    def __init__(self, calls: Calls, server: DocumentServer) -> None:
        self._calls = calls
        self._server = server

    async def upload(self, upload: Upload, chunks: AsyncIterator[bytes], user: str) -> str:
        """Upload a document and return its id for a feed. Raises InvalidRequest, Unavailable, and what a call raises."""
        if not upload.size:
            held = await _buffer(chunks)
            return await self._retry(upload, held, user)
        document_id, url = await self._announce(upload, user)
        await self._put(url, upload, upload.size, _exactly(chunks, upload.size))
        return document_id

    async def _retry(self, upload: Upload, held: bytes, user: str) -> str:
        for attempt in range(1, MOST_ATTEMPTS + 1):
            # A new document each time: what became of the one before is not known.
            document_id, url = await self._announce(upload, user)
            try:
                await self._put(url, upload, len(held), _once(held))
            except Unavailable as error:
                if attempt == MOST_ATTEMPTS or error.reason is not Reason.AMAZON_UNAVAILABLE:
                    raise
            else:
                break
        return document_id

    async def _announce(self, upload: Upload, user: str) -> tuple[str, str]:
        body = json.dumps({"contentType": upload.content_type}).encode()
        done = await self._calls.make(SpApiCall(upload.account_id, operation=CREATE, body=body), user)
        try:
            response = object_of(done.response)
            return parsing.text_in(response, "feedDocumentId"), parsing.token_in(response, "url")
        except parsing.ParseError:
            raise _unavailable("Amazon's answer holds no address to upload to. Try again.") from None

    async def _put(self, url: str, upload: Upload, size: int, chunks: AsyncIterator[bytes]) -> None:
        try:
            answered = await self._server.put(url, upload.content_type, size, chunks)
        except ConnectionBroken as error:
            if error.own:
                raise own_fault(error) from None
            raise _unavailable(f"The upload did not arrive ({error}). Send it again.") from None
        except Forbidden as error:
            raise _unavailable(f"Amazon's address to upload to is refused by us: {error}.") from None
        if answered.status // 100 != 2:  # noqa: PLR2004  (the class of success)
            raise _unavailable(f"The server of the upload answered {answered.status}. Send it again.")


async def _buffer(chunks: AsyncIterator[bytes]) -> bytes:
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        if len(held) > MOST_HELD_BYTES:
            raise InvalidRequest.of_field(
                "head.size",
                f"is needed for documents above {MOST_HELD_BYTES} bytes: they are streamed to Amazon as they come",
            )
    return bytes(held)


async def _exactly(chunks: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Yield the chunks. Raises InvalidRequest unless they are `size` bytes together."""
    sent = 0
    async for chunk in chunks:
        sent += len(chunk)
        if sent > size:
            break
        yield chunk
    if sent != size:
        more = "more" if sent > size else "fewer"
        raise InvalidRequest.of_field("head.size", f"says {size} bytes, and there were {more}; nothing was stored")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _unavailable(words: str) -> Unavailable:
    return Unavailable(words, reason=Reason.AMAZON_UNAVAILABLE, retry_after=1.0)
