"""The gateway's streams: lists in pages, downloads and uploads of documents, and reports from request to download."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import grpc
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate_common.errors import Reason, SellergateError, Unavailable
from sellergate_common.rpc.channel import invoke_client_stream, invoke_stream
from sellergate_common.rpc.timestamps import from_datetime

from sellergate_client.documents.rows import Types, rows_of
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.kinds import AwareTime, Count, Seconds, Timeout
from sellergate_client.rpc.outcomes import connect_channel, transport_outcome

Kind = Literal["REPORT", "FEED", "DATA_KIOSK"]
STREAM_SECONDS = 3600.0
MOST_PAGES = 10_000
"""The most pages of a list for which the caller sets no bound: Amazon may send new page tokens without end."""
CHUNK_BYTES = 256 * 1024
HELD_BYTES = 16 * 1024 * 1024
"""The size in bytes up to which the gateway keeps an upload in memory and retries it itself."""
MOST_UPLOADS = 3
_SERVICE = "gateway"


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a transfer: ID and processingStatus of a report or feed (else empty), and transferred bytes."""

    report_id: str
    status: str
    received: int


OnProgress = Callable[[Progress], None]


class ReportOptions(TypedDict, total=False):
    """What a report may be requested with, besides its type.

    `marketplace_ids`: by default those of the account. `options` are Amazon's reportOptions, `start` and `end` times with a time
    zone. `resume` is the ID of a report requested before, which is waited for instead. `on_progress` is called with each
    change. `seconds` bound the whole; by default STREAM_SECONDS.
    """

    marketplace_ids: Sequence[str]
    options: Mapping[str, str] | None
    start: AwareTime | None
    end: AwareTime | None
    resume: str
    on_progress: OnProgress | None
    seconds: Timeout


@checked
class Document:
    """A document that is being transferred, to be read once: `async for chunk in document`, `read`, `save` or `rows`.

    Its bytes are decompressed. `charset`, `content_type` and `size` (bytes as transferred; 0: unknown) are known from the first
    chunk on; `report_id` and `status` of a report as soon as Amazon reports them.
    """

    def __init__(self, parts: AsyncGenerator[Any], on_progress: OnProgress | None) -> None:
        self._parts = parts
        self._on_progress = on_progress
        self.charset = ""
        self.content_type = ""
        self.size = 0
        self.report_id = ""
        self.status = ""
        self.received = 0

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Yield the bytes as they arrive. Raises SellergateError."""
        async with aclosing(self._parts) as parts:
            async for message in parts:
                part = message.WhichOneof("part")
                if part == "progress":
                    self.report_id, self.status = message.progress.report_id, message.progress.processing_status
                elif part == "head":
                    self.charset, self.size = message.head.charset, message.head.size
                    self.content_type = message.head.content_type
                else:
                    self.received += len(message.chunk)
                if self._on_progress is not None:
                    self._on_progress(Progress(self.report_id, self.status, self.received))
                if part == "chunk":
                    yield message.chunk

    async def read(self) -> bytes:
        """Return the whole content. Raises SellergateError."""
        async with aclosing(self.__aiter__()) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def rows(self, types: Types | None = None, *, charset: str = "") -> AsyncGenerator[dict[str, Any]]:
        """Yield the rows of a table as they arrive, each by the names of the header; see `sellergate_client.documents.rows`.

        `types` names the type of a column, as in {"quantity": int, "price": Decimal}; all others are texts. `charset` replaces the
        one that Amazon names (without either: UTF-8). Raises SellergateError; RowError for a row that cannot be read.
        """
        async with (
            aclosing(self.__aiter__()) as chunks,
            aclosing(rows_of(chunks, lambda: charset or self.charset, types)) as rows,
        ):
            async for row in rows:
                yield row

    async def save(self, path: str | Path) -> int:
        """Write the content to a file and return its size in bytes. The file gets its name only when it is complete.

        Raises SellergateError, and OSError for a file that cannot be written.
        """
        path = Path(path)
        draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            async with aclosing(self.__aiter__()) as chunks:
                with draft.open("wb") as file:
                    async for chunk in chunks:
                        file.write(chunk)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return self.received


@checked
class Documents:
    """The gateway's streams. `seconds` bound a whole stream; every method raises SellergateError."""

    def __init__(self, channel: grpc.aio.Channel, stub: Any) -> None:
        self._channel = channel
        self._stub = stub

    async def pages(
        self, call: call_pb2.CallRequest, *, max_pages: Count = 0, seconds: Seconds = STREAM_SECONDS
    ) -> AsyncGenerator[SpApiResponse]:
        """Yield the pages of a call one by one, by the paging rule of its operation, `max_pages` at most.

        0 means all pages; it raises Unavailable after MOST_PAGES of them, and for repeated page tokens: the list is
        incomplete.
        """
        request = pb2.StreamPagesRequest(call=call, max_pages=max_pages)
        count = 0
        async with aclosing(self._stream(self._stub.StreamPages, request, seconds)) as pages:
            async for response in pages:
                if not max_pages and count == MOST_PAGES:
                    raise Unavailable(
                        f"Amazon sent more than {MOST_PAGES} pages, and the list may have no end. Ask for larger pages or a"
                        " shorter period, or set max_pages to read more.",
                        reason=Reason.AMAZON_UNAVAILABLE,
                    )
                count += 1
                yield SpApiResponse.from_message(response.page)

    def download(
        self,
        account_id: str,
        document_id: str,
        kind: Kind = "REPORT",
        *,
        on_progress: OnProgress | None = None,
        seconds: Seconds = STREAM_SECONDS,
    ) -> Document:
        """Return a document, decompressed. The gateway resumes the download after a broken connection to Amazon."""
        number = pb2.DocumentKind.Value(f"DOCUMENT_KIND_{kind}")
        request = pb2.DownloadDocumentRequest(account_id=account_id, kind=number, document_id=document_id)
        return Document(self._stream(self._stub.DownloadDocument, request, seconds), on_progress)

    def report(self, account_id: str, report_type: str = "", **wanted: Unpack[ReportOptions]) -> Document:
        """Return a report, which is requested when it is first read; ReportOptions describes all options."""
        request = pb2.RunReportRequest(
            account_id=account_id,
            report_type=report_type,
            marketplace_ids=wanted.get("marketplace_ids", ()),
            options=wanted.get("options") or {},
            resume_report_id=wanted.get("resume", ""),
            data_start_time=from_datetime(wanted.get("start"), "start"),
            data_end_time=from_datetime(wanted.get("end"), "end"),
        )
        stream = self._stream(self._stub.RunReport, request, wanted.get("seconds", STREAM_SECONDS))
        return Document(stream, wanted.get("on_progress"))

    async def upload(
        self,
        account_id: str,
        content: bytes | Path | AsyncIterable[bytes],
        content_type: str,
        *,
        size: Count = 0,
        on_progress: OnProgress | None = None,
        seconds: Seconds = STREAM_SECONDS,
    ) -> str:
        """Upload a document for a feed and return its id. An iterable of more than 16 MiB needs its `size` in bytes.

        Bytes and files are sent again while the document store is unavailable; an iterable can be sent only once.
        Raises SellergateError, and the errors of reading `content`; Amazon stores nothing then.
        """
        size, ends = size or _size(content), time.monotonic() + seconds
        attempts = MOST_UPLOADS if isinstance(content, bytes | Path) and size > HELD_BYTES else 1
        while True:
            attempts -= 1
            left = ends - time.monotonic()
            try:
                return await self._upload(account_id, content, content_type, size, on_progress, left)
            except SellergateError as error:
                pause = error.retry_after or 1.0
                if error.reason is not Reason.AMAZON_UNAVAILABLE or not attempts or pause >= ends - time.monotonic():
                    raise
            await asyncio.sleep(pause)

    async def _upload(
        self,
        account_id: str,
        content: bytes | Path | AsyncIterable[bytes],
        content_type: str,
        size: Count,
        on_progress: OnProgress | None,
        seconds: Seconds,
    ) -> str:
        """Send a document once."""
        head = pb2.UploadDocumentHead(account_id=account_id, content_type=content_type, size=size)

        async def send() -> AsyncIterator[pb2.UploadDocumentRequest]:
            yield pb2.UploadDocumentRequest(head=head)
            done = 0
            async for chunk in _chunks(content):
                yield pb2.UploadDocumentRequest(chunk=chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(Progress("", "", done))

        await connect_channel(self._channel, _SERVICE, seconds)
        with transport_outcome(Reason.OUTCOME_UNKNOWN):
            method = self._stub.UploadDocument
            response = await invoke_client_stream(method, send(), dependency=_SERVICE, seconds=seconds)
        return str(response.document_id)

    async def _stream(self, method: Any, request: Any, seconds: float) -> AsyncGenerator[Any]:
        async for message in invoke_stream(method, request, dependency=_SERVICE, seconds=seconds):
            yield message


def _size(content: bytes | Path | AsyncIterable[bytes]) -> int:
    if isinstance(content, Path):
        return content.stat().st_size
    return len(content) if isinstance(content, bytes) else 0


async def _chunks(content: bytes | Path | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield content in pieces that fit a message."""
    if isinstance(content, bytes):
        for start in range(0, len(content), CHUNK_BYTES):
            yield content[start : start + CHUNK_BYTES]
    elif isinstance(content, Path):
        with content.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    else:
        async for piece in content:
            for start in range(0, len(piece), CHUNK_BYTES):
                yield piece[start : start + CHUNK_BYTES]
