"""Whether a report document holds personal data: getReportDocument names no type, so that of its report is remembered."""

import json
from typing import Any, Protocol

from sellergate_amazon.operations import Catalogue
from sellergate_amazon.reports import RESTRICTED_REPORT_TYPES

from sellergate_gateway.model import Account
from sellergate_gateway.spapi.http import AmazonAnswer
from sellergate_gateway.spapi.request import Target
from sellergate_gateway.spapi.response import decoded

_TELLING = frozenset({"reports/2021-06-30/getReport", "reports/2021-06-30/getReports"})


class ReportTypes(Protocol):
    """Where the types of report documents are remembered."""

    async def remember(self, account: Account, document_id: str, report_type: str) -> None:
        """Remember the type of a document. It may be lost."""

    async def get(self, account: Account, document_id: str) -> str:
        """Return the type of a document; empty: not known."""


class ReportDocuments:
    """What is known of report documents."""

    def __init__(self, types: ReportTypes, catalogue: Catalogue) -> None:
        self._types = types
        self._catalogue = catalogue

    async def is_restricted(self, account: Account, target: Target) -> bool | None:
        """Tell whether the document that a call asks for holds personal data; None: not known."""
        found = self._catalogue.match(target.method, target.path)
        document_id = found.path_params.get("reportDocumentId", "") if found else ""
        report_type = await self._types.get(account, document_id)
        return report_type in RESTRICTED_REPORT_TYPES if report_type else None

    def learns(self, target: Target) -> bool:
        """Return whether a response to such a call names types of reports."""
        return target.operation is not None and target.operation.name in _TELLING

    async def learn(self, account: Account, target: Target, answer: AmazonAnswer) -> None:
        """Remember the types that a response of getReport or getReports names."""
        if not self.learns(target):
            return
        for report in _reports(answer):
            document_id, report_type = report.get("reportDocumentId"), report.get("reportType")
            if isinstance(document_id, str) and isinstance(report_type, str):
                await self._types.remember(account, document_id, report_type)


def _reports(answer: AmazonAnswer) -> list[dict[str, Any]]:
    try:
        body = json.loads(decoded(answer))
    except (ValueError, OSError, EOFError):
        return []
    rows = body.get("reports", [body]) if isinstance(body, dict) else []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
