"""Downloads of report, feed and Data Kiosk documents: streamed, decompressed, and resumed at the byte of a failure."""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from email.message import Message

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.documents.addresses import Address, Kind, Named, request_address
from sellergate_gateway.documents.errors import not_found, transfer_failed, unavailable
from sellergate_gateway.documents.gunzip import Gunzip
from sellergate_gateway.documents.ports import ConnectionBroken, DocumentResponse, DocumentStore, Forbidden
from sellergate_gateway.documents.position import Position, Verdict
from sellergate_gateway.documents.retries import GIVE_UP_SECONDS, Retries, TransferTime

# The most addresses in a row that may yield no new byte of a document.
MOST_ADDRESSES = 5


@dataclass(frozen=True, slots=True)
class Head:
    """The headers of a document. `size` is in bytes as transferred; 0: unknown."""

    charset: str
    content_type: str
    size: int


@dataclass(slots=True)
class _Download:
    """A document in transfer. `addresses` is the number requested since the last byte."""

    named: Named
    retries: Retries
    position: Position = field(default_factory=Position)
    packed: bool = False
    addresses: int = 0

    def record_progress(self, count: int) -> None:
        """Count bytes that were yielded."""
        self.position.done += count
        self.addresses = 0
        self.retries.record_progress()


class Documents:
    """Downloads from the `store` behind the presigned addresses."""

    def __init__(self, calls: Calls, store: DocumentStore, time: TransferTime) -> None:
        self._calls = calls
        self._store = store
        self._time = time

    async def download(
        self, account_id: str, kind: Kind, document_id: str, user: str, give_up_seconds: float = GIVE_UP_SECONDS
    ) -> AsyncGenerator[Head | bytes, None]:
        """Yield the head, then the decompressed bytes. Raises what a call raises, NotFound, Unavailable.

        A transfer fails after `give_up_seconds` without a new byte, or just before the caller's deadline.
        """
        run = _Download(Named(account_id, kind, document_id, user), Retries(self._time, give_up_seconds))
        unpack = Gunzip()
        try:
            async with aclosing(self._transfer(run)) as parts:
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
            raise unavailable(
                f"The document cannot be decompressed: its gzip is broken ({error}). Try again."
            ) from None

    async def _transfer(self, run: _Download) -> AsyncGenerator[Head | bytes, None]:
        """Yield the head, then the bytes as transferred, attempt after attempt."""
        address = await self._request_address(run)
        while True:
            try:
                async with self._store.get(address.url.get_secret_value(), run.position.headers()) as response:
                    is_first = not run.position.begun
                    verdict = run.position.judge(response)
                    if verdict is Verdict.CONTENT:
                        if is_first:
                            yield _head(response, run)
                        async with aclosing(_new_bytes(response, run)) as chunks:
                            async for chunk in chunks:
                                yield chunk
                        run.position.check_end()
                        return
                if verdict is Verdict.COMPLETE:
                    return
                if verdict is not Verdict.ADDRESS_REFUSED:
                    raise _failure(verdict, response, run)
                # The address has expired; a new one is for the same document.
                address = await self._request_address(run)
            except ConnectionBroken as error:
                if not await run.retries.wait(error.retry_after):
                    raise transfer_failed("The download", error) from None
            except Forbidden as error:
                raise unavailable(f"Sellergate does not use Amazon's address of the document: {error}.") from None

    async def _request_address(self, run: _Download) -> Address:
        run.addresses += 1
        if run.addresses > MOST_ADDRESSES:
            raise unavailable("The addresses that Amazon gives for the document do not work. Try again later.")
        address = await request_address(self._calls, run.named)
        run.packed = run.packed or address.packed
        return address


async def _new_bytes(response: DocumentResponse, run: _Download) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a response after those that were read before. Raises ConnectionBroken."""
    skip = run.position.skip
    async for chunk in response.chunks:
        new = chunk[skip:]
        skip = max(0, skip - len(chunk))
        if new:
            run.record_progress(len(new))
            yield new


def _failure(verdict: Verdict, response: DocumentResponse, run: _Download) -> Exception:
    if verdict is Verdict.NOT_FOUND:
        return not_found(run.named.document_id)
    if verdict is Verdict.CHANGED:
        return unavailable("The document changed while it was read. Try again.")
    return unavailable(f"The document store responded with HTTP {response.status}. Try again.")


def _head(response: DocumentResponse, run: _Download) -> Head:
    content_type = response.header("content-type")
    run.packed = run.packed or response.header("content-encoding").strip().lower() in ("gzip", "x-gzip")
    parsed = Message()
    parsed["content-type"] = content_type
    return Head(str(parsed.get_content_charset() or ""), content_type, run.position.total)
