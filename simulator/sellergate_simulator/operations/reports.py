"""Reports 2021-06-30: create, poll, list, cancel, and the document behind a presigned URL.

Rules from Amazon's model reports_2021-06-30.json and its guides. `reportOptions.simulator` "FATAL" or "CANCELLED" sets
the final status, with the text of `reportOptions.simulatorReason` in the document; `reportOptions.simulatorBytes` sets
the document's size before compression.
"""

import zlib
from dataclasses import dataclass
from typing import Any

from sellergate_amazon.reports import RESTRICTED_REPORT_TYPES

from sellergate_simulator.clock import iso
from sellergate_simulator.http.responses import Response, denied, invalid_input, json_response, not_found
from sellergate_simulator.operations.documents import Document, Documents
from sellergate_simulator.operations.jobs import Job, Jobs
from sellergate_simulator.shops.order_book import OrderBook, amount
from sellergate_simulator.shops.stock import stock_of
from sellergate_simulator.spapi.calls import Call, Handler, marketplace_field, text_field
from sellergate_simulator.state import World

_MOST_BYTES = 1 << 32
_JAPAN = "A1VC38T7YXB528"


@dataclass(slots=True)
class Report(Job):
    """A report, with the length and the failure reason that a test requested."""

    length: int | None = None
    reason: str = ""


class Reports:
    """The operations of Reports 2021-06-30."""

    def __init__(self, world: World, documents: Documents, book: OrderBook) -> None:
        self._world = world
        self._documents = documents
        self._book = book
        self._jobs: Jobs[Report] = Jobs("reports", "reportTypes")

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by operation name."""
        prefix = "reports/2021-06-30/"
        return {
            f"{prefix}createReport": self._create,
            f"{prefix}getReports": lambda call: self._jobs.listing(call, lambda job: self._document(call, job)),
            f"{prefix}getReport": self._get,
            f"{prefix}cancelReport": lambda call: self._jobs.cancel(call, call.path_params["reportId"]),
            f"{prefix}getReportDocument": self._get_document,
        }

    def _create(self, call: Call) -> Response:
        body = call.json_object()
        report_type = text_field(body, "reportType")
        marketplaces = marketplace_field(body, call.owner, call.region, 25)
        options = body.get("reportOptions") or {}
        if not isinstance(options, dict):
            raise invalid_input("The field reportOptions must be an object of strings.")
        report = Report(
            self._jobs.next_id(call), report_type, marketplaces, call.now, self._world.processing_step_seconds
        )
        if options.get("simulator") in {"FATAL", "CANCELLED"}:
            report.outcome = str(options["simulator"])
        report.reason = str(options.get("simulatorReason", ""))
        if "simulatorBytes" in options:
            report.length = _length(options["simulatorBytes"])
        self._jobs.add(call, report)
        return json_response({"reportId": report.job_id}, 202)

    def _get(self, call: Call) -> Response:
        return json_response(self._document(call, self._jobs.find(call, call.path_params["reportId"])))

    def _document(self, call: Call, report: Report) -> dict[str, Any]:
        status = report.status(call.now)
        document: dict[str, Any] = {
            "reportId": report.job_id,
            "reportType": report.job_type,
            "marketplaceIds": list(report.marketplace_ids),
            "processingStatus": status,
            "dataStartTime": iso(report.created_at - 86_400),
            "dataEndTime": iso(report.created_at),
            **report.times(call.now),
        }
        if status == "DONE":
            if report.document_id is None:
                report.document_id = self._documents.add(self._written(call, report))
            document["reportDocumentId"] = report.document_id
        elif status == "FATAL" and report.reason:
            text = report.reason.encode()
            failure = Document("text/plain; charset=UTF-8", _gzip(text, len(text)), gzipped=True)
            report.document_id = report.document_id or self._documents.add(failure)
            document["reportDocumentId"] = report.document_id
        return document

    def _get_document(self, call: Call) -> Response:
        document_id = call.path_params["reportDocumentId"]
        report = next((job for job in self._jobs.all_of(call) if job.document_id == document_id), None)
        document = self._documents.get(document_id)
        if report is None or document is None:
            raise not_found("The requested report document doesn't exist.")
        if report.job_type in RESTRICTED_REPORT_TYPES and call.resource is None:
            raise denied()
        encoded = call.query.one("enableContentEncodingUrlHeader") == "true"
        url = self._documents.download_url(document_id, call.hostname, content_encoding=encoded)
        return json_response({"reportDocumentId": document_id, "url": url, "compressionAlgorithm": "GZIP"})

    def _written(self, call: Call, report: Report) -> Document:
        """Return a report's content: tab-separated, gzip, in Shift_JIS for Japan, as Amazon's flat files are."""
        charset = "Shift_JIS" if _JAPAN in report.marketplace_ids else "UTF-8"
        table = self._orders_table(call, report) if "ORDER" in report.job_type else _stock_table(call)
        text = "".join("\t".join(row) + "\r\n" for row in table).encode(charset, errors="replace")
        return Document(f"text/plain; charset={charset}", _gzip(text, report.length or len(text)), gzipped=True)

    def _orders_table(self, call: Call, report: Report) -> list[tuple[str, ...]]:
        head = ("amazon-order-id", "purchase-date", "order-status", "sku", "quantity", "currency", "item-price")
        orders = self._book.orders(call.owner, call.region)
        rows = [
            (
                order.order_id,
                iso(order.purchased_at),
                order.status.capitalize(),
                item.product.sku,
                str(item.quantity),
                order.currency,
                amount(item.product.price_cents * item.quantity),
            )
            for order in orders
            if order.marketplace_id in report.marketplace_ids
            for item in order.items
        ]
        return [head, *rows]


def _stock_table(call: Call) -> list[tuple[str, ...]]:
    head = ("item-name", "seller-sku", "price", "quantity", "asin1")
    stock = stock_of(call.owner.selling_partner_id)
    return [head, *((row.title, row.sku, amount(row.price_cents), str(row.fulfillable), row.asin) for row in stock)]


def _length(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and 0 < int(value) <= _MOST_BYTES:
        return int(value)
    raise invalid_input(f"reportOptions.simulatorBytes must be a number from 1 to {_MOST_BYTES}.")


def _gzip(text: bytes, length: int) -> bytes:
    """Compress `length` bytes of the repeated text, without holding all of them in memory."""
    packer = zlib.compressobj(level=1, wbits=31)
    block = text * (1 + (1 << 20) // len(text))
    block = block[: len(block) // len(text) * len(text)]
    parts = [packer.compress(block[: length - done]) for done in range(0, length, len(block))]
    return b"".join([*parts, packer.flush()])
