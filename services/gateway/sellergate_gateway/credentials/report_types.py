"""The types of report documents, which show personal data: getReportDocument names no type, so the report's is kept."""

from typing import Any, Protocol

from sellergate_amazon import parsing
from sellergate_amazon.operations import Catalogue
from sellergate_amazon.reports import RESTRICTED_REPORT_TYPES
from sellergate_common.sites import Site

from sellergate_gateway.model import Account
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import Target
from sellergate_gateway.spapi.response import object_of

_REPORT_CALLS = frozenset({"reports/2021-06-30/getReport", "reports/2021-06-30/getReports"})

# The name and value by which a type is recorded as restricted; no document of Amazon has such an id.
_NAME_OF_TYPE, _RESTRICTED = "type ", "RESTRICTED"


class ReportTypes(Protocol):
    """A cache of the types of report documents."""

    async def remember(self, account: Account, site: Site, document_id: str, report_type: str) -> None:
        """Store the type of a document. It may be lost."""

    async def get(self, account: Account, site: Site, document_id: str) -> str:
        """Return the type of a document; empty: unknown."""


class ReportDocuments:
    """The known types of report documents."""

    def __init__(self, types: ReportTypes, catalogue: Catalogue) -> None:
        self._types = types
        self._catalogue = catalogue

    async def restriction_of(self, account: Account, site: Site, target: Target) -> tuple[str, bool]:
        """Return the type of the requested document, and whether it holds personal data; empty: unknown."""
        found = self._catalogue.match(target.method, target.path)
        document_id = found.path_params.get("reportDocumentId", "") if found else ""
        report_type = await self._types.get(account, site, document_id)
        if not report_type or report_type in RESTRICTED_REPORT_TYPES:
            return report_type, bool(report_type)
        return report_type, await self._types.get(account, site, _NAME_OF_TYPE + report_type) == _RESTRICTED

    async def remember_restricted(self, account: Account, site: Site, report_type: str) -> None:
        """Record that documents of a type need a Restricted Data Token, though the list of types lacks it."""
        await self._types.remember(account, site, _NAME_OF_TYPE + report_type, _RESTRICTED)

    def has_report_types(self, target: Target) -> bool:
        """Return whether the response to a call names types of reports."""
        return target.operation is not None and target.operation.name in _REPORT_CALLS

    async def update_report_types(self, account: Account, site: Site, target: Target, response: AmazonResponse) -> None:
        """Store the types that a response of getReport or getReports names."""
        if not self.has_report_types(target):
            return
        for report in _reports(response):
            try:
                document_id, report_type = (
                    parsing.text_in(report, name) for name in ("reportDocumentId", "reportType")
                )
            except parsing.ParseError:
                continue
            await self._types.remember(account, site, document_id, report_type)


def _reports(response: AmazonResponse) -> list[dict[str, Any]]:
    try:
        body = object_of(response)
    except parsing.ParseError:
        return []
    reports = body.get("reports", [body])
    return [report for report in reports if isinstance(report, dict)] if isinstance(reports, list) else []
