"""Conversion between messages and the domain, for documents and reports."""

from typing import Literal

from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate_common.errors import InvalidRequest

from sellergate_gateway.documents.addresses import Kind
from sellergate_gateway.documents.download import Head
from sellergate_gateway.reports.run import ReportRequest


def to_kind(number: int) -> Kind:
    """Return the API of a document. Raises InvalidRequest."""
    names: dict[int, str] = {value: name for name, value in pb2.DocumentKind.items()}
    name = names.get(number, "").removeprefix("DOCUMENT_KIND_")
    if name not in Kind.__members__:
        raise InvalidRequest.of_field("kind", f"must be one of {', '.join(Kind)}")
    return Kind(name)


def to_head(head: Head) -> pb2.DocumentHead:
    """Return the message of a document's head."""
    return pb2.DocumentHead(charset=head.charset, content_type=head.content_type, size=head.size)


def to_report_request(request: pb2.RunReportRequest) -> ReportRequest:
    """Return the request for a report."""
    return ReportRequest(
        account_id=request.account_id,
        report_type=request.report_type,
        marketplace_ids=tuple(request.marketplace_ids),
        options=tuple(request.options.items()),
        data_start_time=_time(request, "data_start_time"),
        data_end_time=_time(request, "data_end_time"),
        resume_report_id=request.resume_report_id,
    )


def _time(request: pb2.RunReportRequest, field: Literal["data_start_time", "data_end_time"]) -> str:
    if not request.HasField(field):
        return ""
    stamp: Timestamp = getattr(request, field)
    try:
        return stamp.ToJsonString()
    except ValueError:
        raise InvalidRequest.of_field(field, "must be a time between the years 1 and 9999") from None
