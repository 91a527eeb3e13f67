"""What the gateway streams: pages, documents down and up, and reports from the request to the last byte."""

import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import grpc
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate_common.errors import Reason
from sellergate_common.rpc.channel import invoke_client_stream, invoke_stream

from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.outcomes import connect_channel, transport_outcome

Kind = Literal["REPORT", "FEED", "DATA_KIOSK"]
STREAM_SECONDS = 3600.0
CHUNK_BYTES = 256 * 1024
_SERVICE = "gateway"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a document is: a report's id and Amazon's processingStatus (empty for other documents), bytes that have come."""

    report_id: str
    status: str
    received: int


OnProgress = Callable[[Progress], None]


class Document:
    """A document on its way, to be read once: `async for chunk in document`, `read` or `save`. Its bytes are decompressed.

    `charset`, `content_type` and `size` (bytes as transferred; 0: unknown) are known from the first chunk on; `report_id` and
    `status` of a report as soon as Amazon tells them.
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
        """Yield the bytes as they come. Raises SellergateError."""
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
        """Return all of it. Raises SellergateError."""
        async with aclosing(self.__aiter__()) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def save(self, path: str | Path) -> int:
        """Write it to a file and return its size. The file has its name once it is whole, whatever happens on the way."""
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


class Documents:
    """Streams of the gateway. `seconds` bound a whole stream; every method raises SellergateError."""

    def __init__(self, channel: grpc.aio.Channel, stub: Any) -> None:
        self._channel = channel
        self._stub = stub

    async def pages(
        self, call: call_pb2.CallRequest, *, max_pages: int = 0, seconds: float = STREAM_SECONDS
    ) -> AsyncGenerator[SpApiResponse]:
        """Yield page after page of a call, by the operation's own rule; 0 pages: all."""
        request = pb2.StreamPagesRequest(call=call, max_pages=max_pages)
        async with aclosing(self._stream(self._stub.StreamPages, request, seconds)) as pages:
            async for response in pages:
                yield SpApiResponse.from_message(response.page)

    def download(
        self,
        account_id: str,
        document_id: str,
        kind: Kind = "REPORT",
        *,
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> Document:
        """Return a document, unpacked; what breaks on the way to Amazon is resumed."""
        number = pb2.DocumentKind.Value(f"DOCUMENT_KIND_{kind}")
        request = pb2.DownloadDocumentRequest(account_id=account_id, kind=number, document_id=document_id)
        return Document(self._stream(self._stub.DownloadDocument, request, seconds), on_progress)

    def report(
        self,
        account_id: str,
        report_type: str = "",
        *,
        marketplace_ids: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        resume: str = "",
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> Document:
        """Request a report, wait for it and return it; `resume` goes on with a report of this id instead. Times are aware."""
        request = pb2.RunReportRequest(
            account_id=account_id,
            report_type=report_type,
            marketplace_ids=marketplace_ids,
            options=options or {},
            resume_report_id=resume,
        )
        if start is not None:
            request.data_start_time.FromDatetime(start)
        if end is not None:
            request.data_end_time.FromDatetime(end)
        return Document(self._stream(self._stub.RunReport, request, seconds), on_progress)

    async def upload(
        self,
        account_id: str,
        content: bytes | Path | AsyncIterable[bytes],
        content_type: str,
        *,
        size: int = 0,
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> str:
        """Upload a document for a feed and return its id. A stream of more than 16 MiB needs its `size`.

        Raises SellergateError, and what reading `content` raises; nothing is stored then.
        """
        size = size or _size(content)
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
