"""Reports from the request to the document: requested once for all simultaneous callers, polled within quota, downloaded.

A report is shared while a caller polls it. After all callers have disconnected, it may be finished when the next identical
request arrives. Its data would be old, so that its state is read before it is shared.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from sellergate_amazon import parsing
from sellergate_amazon.marketplaces import marketplace_by_code, marketplace_by_id
from sellergate_common.errors import AmazonRefused, InvalidRequest, Reason, SellergateError
from sellergate_common.sites import Site

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.calls.state import CallResult
from sellergate_gateway.documents.addresses import Kind
from sellergate_gateway.documents.download import Documents, Head
from sellergate_gateway.documents.errors import refused
from sellergate_gateway.model import Account
from sellergate_gateway.reports.reasons import read_reason
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import SpApiCall
from sellergate_gateway.spapi.response import object_of

CREATE, GET = "reports/2021-06-30/createReport", "reports/2021-06-30/getReport"
# Amazon needs seconds to hours to create a report; getReport may be called twice per second.
FIRST_POLL_SECONDS, POLL_GROWTH, LONGEST_POLL_SECONDS = 0.5, 1.5, 30.0
_DONE, _LOST, _FAILED = "DONE", "LOST", {"CANCELLED", "FATAL"}
# Seconds after its creation in which a finished report serves requests; an unfinished report serves them longer.
FINISHED_SECONDS, BEING_MADE_SECONDS = 60.0, 4 * 3600.0
# Seconds after createReport in which a 404 of getReport means that Amazon does not show the report yet (observed for a few
# seconds).
UNSEEN_SECONDS = 30.0
_ATTEMPTS = 3
# Seconds for the document with the reason of a failure; afterwards the failure is reported without it.
REASON_SECONDS = 5.0
_OUTCOMES = {
    "CANCELLED": "Amazon cancelled the report, most often for lack of data of this type in this period. Request another period.",
    "FATAL": "Amazon could not create the report. Check its type, times and options, and request it again.",
}


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A caller's request for a report. Times are in Amazon's format; `resume_report_id` names an earlier report."""

    account_id: str
    report_type: str = ""
    marketplace_ids: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    data_start_time: str = ""
    data_end_time: str = ""
    resume_report_id: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of an unfinished report."""

    report_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Running:
    """An unfinished report. `created`: it was requested now."""

    report_id: str
    created: bool


class RunningReports(Protocol):
    """The unfinished reports, known to all replicas. If an entry is lost, Amazon creates a second report."""

    async def obtain(self, account: Account, site: Site, request: str, create: Callable[[], Awaitable[str]]) -> Running:
        """Return the unfinished report of this request, or create one, once for all callers."""

    async def record_poll(self, account: Account, site: Site, request: str, report_id: str) -> None:
        """Extend the entry of a report, since a caller still waits for it."""

    async def record_end(self, account: Account, site: Site, request: str, report_id: str) -> None:
        """Delete the entry of a finished or lost report, so that the next request creates a new one."""


class ReportRuns:
    """The runs of reports. `pause` waits the given seconds, `now` is monotonic, in seconds."""

    def __init__(
        self,
        calls: Calls,
        documents: Documents,
        running: RunningReports,
        pause: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._documents = documents
        self._running = running
        self._pause = pause
        self._now = now

    async def run(self, request: ReportRequest, user: str) -> AsyncGenerator[Progress | Head | bytes, None]:
        """Yield the report's id first, its states, then the document. Raises InvalidRequest, and what a call raises.

        A report that Amazon cancels or fails is AMAZON_REJECTED, with the status and Amazon's reason in the metadata.
        """
        account = await self._calls.account(request.account_id, user)
        site = self._calls.site(account)
        body = _body(request, account)
        requested = self._now()
        report_id = request.resume_report_id or await self._obtain(account, site, body, user)
        unseen_until = requested if request.resume_report_id else self._now() + UNSEEN_SECONDS
        yield Progress(report_id, "IN_QUEUE")
        report: dict[str, Any] = {}
        try:
            async for report, changed in self._states(request.account_id, report_id, user, unseen_until):
                if changed:
                    yield Progress(report_id, str(report["processingStatus"]))
                else:
                    await self._running.record_poll(account, site, body, report_id)
        except SellergateError as error:
            if error.reason is Reason.AMAZON_NOT_FOUND:
                # Amazon has lost the report; the next request must not join it.
                report = {"processingStatus": _LOST}
            raise
        finally:
            if report.get("processingStatus") in {_DONE, _LOST, *_FAILED}:
                await self._running.record_end(account, site, body, report_id)
        if report["processingStatus"] in _FAILED:
            raise await self._failure(request.account_id, report, report_id, user)
        document_id = _document_id(report, report_id)
        download = self._documents.download(request.account_id, Kind.REPORT, document_id, user)
        async with aclosing(download) as parts:
            async for part in parts:
                yield part

    async def _obtain(self, account: Account, site: Site, body: str, user: str) -> str:
        """Return the id of an unfinished or new report, never of one that was finished before the request."""
        requested_at, create = self._now(), partial(self._create, account.account_id, body, user)
        for _ in range(_ATTEMPTS):
            running = await self._running.obtain(account, site, body, create)
            if running.created or await self._serves(account.account_id, running.report_id, user, requested_at):
                return running.report_id
            await self._running.record_end(account, site, body, running.report_id)
        return await create()

    async def _serves(self, account_id: str, report_id: str, user: str, requested_at: float) -> bool:
        """Return whether another caller's report also serves a request made at `requested_at`."""
        try:
            done = await self._poll(account_id, report_id, user, self._now() + UNSEEN_SECONDS)
        except SellergateError as error:
            if error.reason is Reason.AMAZON_NOT_FOUND:
                return False
            raise
        finished = _state(done.response)["processingStatus"] in {_DONE, *_FAILED}
        age = _age(done.response)
        if age is None:
            return not finished
        return age - (self._now() - requested_at) <= (FINISHED_SECONDS if finished else BEING_MADE_SECONDS)

    async def _create(self, account_id: str, body: str, user: str) -> str:
        # After a response without a report id, it is unknown whether Amazon creates a report.
        done = await self._calls.make(SpApiCall(account_id, operation=CREATE, body=body.encode()), user, _names_report)
        return _report_id(done.response)

    async def _poll(self, account_id: str, report_id: str, user: str, unseen_until: float) -> CallResult:
        """Return the response of getReport. Raises what a call raises; AMAZON_NOT_FOUND only after `unseen_until`."""
        seconds = FIRST_POLL_SECONDS
        call = SpApiCall(account_id, operation=GET, path_params={"reportId": report_id})
        while True:
            try:
                return await self._calls.make(call, user, _names_state)
            except SellergateError as error:
                if error.reason is not Reason.AMAZON_NOT_FOUND or self._now() + seconds > unseen_until:
                    raise
            await self._pause(seconds)
            seconds *= POLL_GROWTH

    async def _failure(self, account_id: str, report: dict[str, Any], report_id: str, user: str) -> AmazonRefused:
        """Return the error of a failed or cancelled report, with the reason from its document."""
        status, document_id = str(report["processingStatus"]), str(report.get("reportDocumentId") or "")
        reason = ""
        if document_id:
            download = self._documents.download(account_id, Kind.REPORT, document_id, user, REASON_SECONDS)
            reason = await read_reason(download)
        words = f"{_OUTCOMES[status]} Amazon's reason: {reason}" if reason else _OUTCOMES[status]
        return refused(
            words,
            {
                "processing_status": status,
                "report_id": report_id,
                "document_id": document_id,
                **({"amazon_message": reason} if reason else {}),
            },
        )

    async def _states(
        self, account_id: str, report_id: str, user: str, unseen_until: float
    ) -> AsyncIterator[tuple[dict[str, Any], bool]]:
        """Yield the report after each poll, and again if its state has changed, until it is finished."""
        seconds, last = FIRST_POLL_SECONDS, ""
        while True:
            report = _state((await self._poll(account_id, report_id, user, unseen_until)).response)
            status = report["processingStatus"]
            yield report, False
            if status != last:
                yield report, True
                last = status
            if status in {_DONE, *_FAILED}:
                return
            await self._pause(seconds)
            seconds = min(LONGEST_POLL_SECONDS, seconds * POLL_GROWTH)


def _state(response: AmazonResponse) -> dict[str, Any]:
    """Return the report that getReport names. Raises ParseError."""
    report = object_of(response)
    return report | {"processingStatus": parsing.text_in(report, "processingStatus")}


def _report_id(response: AmazonResponse) -> str:
    """Return the id of the report that createReport names. Raises ParseError."""
    return parsing.text_in(object_of(response), "reportId")


async def _names_state(response: AmazonResponse) -> None:
    _state(response)


async def _names_report(response: AmazonResponse) -> None:
    _report_id(response)


def _age(response: AmazonResponse) -> float | None:
    """Return the seconds since a report was created, by Amazon's clock; None where the response lacks a time."""
    try:
        now = parsing.http_date(response.header("date"))
        return (now - datetime.fromisoformat(parsing.text_in(object_of(response), "createdTime"))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _body(request: ReportRequest, account: Account) -> str:
    """Return the body of createReport, with equal text for equal reports. Raises InvalidRequest."""
    if request.resume_report_id:
        return ""
    if not request.report_type:
        raise InvalidRequest.of_field("report_type", "is required, unless resume_report_id continues a report")
    home = marketplace_by_code(account.marketplace)
    marketplace_ids = request.marketplace_ids or account.marketplace_ids or ((home.id,) if home else ())
    for index, marketplace_id in enumerate(request.marketplace_ids):
        known = marketplace_by_id(marketplace_id)
        if known is not None and home is not None and known.region is not home.region and not account.sandbox:
            raise InvalidRequest.of_field(
                f"marketplace_ids[{index}]",
                f"is {known.code} in region {known.region.name}; this account's calls go to {home.region.name}",
            )
    body: dict[str, Any] = {"reportType": request.report_type, "marketplaceIds": list(marketplace_ids)}
    if request.options:
        body["reportOptions"] = dict(sorted(request.options))
    times = {"dataStartTime": request.data_start_time, "dataEndTime": request.data_end_time}
    return json.dumps(body | {name: value for name, value in times.items() if value})


def _document_id(report: dict[str, Any], report_id: str) -> str:
    """Return the document id of a finished report. Raises AmazonRefused if the report has none."""
    document_id = str(report.get("reportDocumentId") or "")
    if not document_id:
        metadata = {"processing_status": str(report["processingStatus"]), "report_id": report_id, "document_id": ""}
        raise refused("Amazon finished the report without a document. Request it again.", metadata)
    return document_id
