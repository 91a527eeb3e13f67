"""The streaming RPCs of GatewayService: conversion between messages and the domain."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceServicer
from sellergate_common.context import current_caller
from sellergate_common.errors import InvalidRequest

from sellergate_gateway.calls.pagination import Pages
from sellergate_gateway.documents.download import Documents, Head
from sellergate_gateway.documents.upload import Upload, Uploads
from sellergate_gateway.reports.run import Progress, ReportRuns
from sellergate_gateway.rpc.call_messages import to_call, to_forwarded_response
from sellergate_gateway.rpc.stream_messages import to_head, to_kind, to_report_request


@dataclass(frozen=True, slots=True)
class Streams:
    """The domain objects of the streaming RPCs."""

    pages: Pages
    documents: Documents
    uploads: Uploads
    reports: ReportRuns


class StreamingRpcs(GatewayServiceServicer):
    """The streaming RPCs of GatewayService."""

    _streams: Streams

    async def StreamPages(
        self, request: pb2.StreamPagesRequest, context: Any
    ) -> AsyncIterator[pb2.StreamPagesResponse]:
        """Stream the pages of a call."""
        pages = self._streams.pages.follow(to_call(request.call), current_caller().on_behalf_of, request.max_pages)
        async with aclosing(pages) as followed:
            async for result in followed:
                message = pb2.StreamPagesResponse(page=to_forwarded_response(result))
                # A page may have 16 MB: only the message holds it while it is sent, and nothing while the next one is fetched.
                del result
                yield message
                del message

    async def DownloadDocument(
        self, request: pb2.DownloadDocumentRequest, context: Any
    ) -> AsyncIterator[pb2.DownloadDocumentResponse]:
        """Stream a document to the caller."""
        user, kind = current_caller().on_behalf_of, to_kind(request.kind)
        download = self._streams.documents.download(request.account_id, kind, request.document_id, user)
        async with aclosing(download) as parts:
            async for part in parts:
                if isinstance(part, Head):
                    yield pb2.DownloadDocumentResponse(head=to_head(part))
                else:
                    yield pb2.DownloadDocumentResponse(chunk=part)

    async def UploadDocument(
        self, request_iterator: AsyncIterator[pb2.UploadDocumentRequest], context: Any
    ) -> pb2.UploadDocumentResponse:
        """Stream a document to Amazon."""
        first = await anext(request_iterator, None)
        if first is None or first.WhichOneof("part") != "head":
            raise InvalidRequest.of_field("head", "must be the first message of the stream")
        upload = Upload(first.head.account_id, first.head.content_type, first.head.size)
        user = current_caller().on_behalf_of
        return pb2.UploadDocumentResponse(
            document_id=await self._streams.uploads.upload(upload, _chunks(request_iterator), user)
        )

    async def RunReport(self, request: pb2.RunReportRequest, context: Any) -> AsyncIterator[pb2.RunReportResponse]:
        """Request a report, wait for it and stream it."""
        run = self._streams.reports.run(to_report_request(request), current_caller().on_behalf_of)
        async with aclosing(run) as parts:
            async for part in parts:
                if isinstance(part, Progress):
                    progress = pb2.ReportProgress(report_id=part.report_id, processing_status=part.status)
                    yield pb2.RunReportResponse(progress=progress)
                elif isinstance(part, Head):
                    yield pb2.RunReportResponse(head=to_head(part))
                else:
                    yield pb2.RunReportResponse(chunk=part)


async def _chunks(requests: AsyncIterator[pb2.UploadDocumentRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise InvalidRequest.of_field("chunk", "must be set in every message after the first")
        yield request.chunk
