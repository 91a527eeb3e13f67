"""The servicer of AccountAdminService, which translates and delegates."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sellergate.account.v1 import account_admin_service_pb2 as pb2
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceServicer
from sellergate_common.errors import InvalidRequest
from sellergate_common.identity.operator_settings import visible_user
from sellergate_common.rpc.timestamps import read_time

from sellergate_account.accounts import Accounts
from sellergate_account.admin.anchors import verify_anchors
from sellergate_account.admin.audit_check import verify
from sellergate_account.admin.legacy_import import REFUSED, Import, Outcome, check_size
from sellergate_account.admin.rewrap import rewrap
from sellergate_account.applications import Applications
from sellergate_account.audit import Audit
from sellergate_account.model import OLDEST_FIRST, EventOrder
from sellergate_account.ports.rewrapper import Rewrapper
from sellergate_account.ports.unit_of_work import Store
from sellergate_account.rpc import page_tokens
from sellergate_account.rpc.admin_messages import to_anchors, to_event, to_notes, to_result, to_row
from sellergate_account.rpc.pages import fitting


@dataclass(frozen=True, slots=True)
class Admin:
    """The dependencies of the operators' service."""

    store: Store
    rewrapper: Rewrapper
    audit: Audit
    accounts: Accounts
    applications: Applications
    operators: frozenset[str] = frozenset()
    """The users that read the chains of all accounts, through the edge."""


class AccountAdminServicer(AccountAdminServiceServicer):
    """The servicer of operators' work on the whole store."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    async def RewrapSecrets(
        self, request: pb2.RewrapSecretsRequest, context: Any
    ) -> AsyncIterator[pb2.RewrapSecretsResponse]:
        """Seal every secret again under the newest key, and stream the progress."""
        admin = self._admin
        async for step in rewrap(admin.store, admin.rewrapper, admin.audit, request.batch_size):
            yield pb2.RewrapSecretsResponse(
                rewrapped=step.rewrapped, skipped=step.skipped, unopened_ids=step.unopened_ids, total=step.total
            )

    async def ImportAccounts(
        self, request_iterator: AsyncIterator[pb2.ImportAccountsRequest], context: Any
    ) -> pb2.ImportAccountsResponse:
        """Import accounts of a former system, and report on each."""
        admin = self._admin
        runs = {dry: Import(admin.store, admin.accounts, admin.applications, dry_run=dry) for dry in (False, True)}
        report, index = pb2.ImportAccountsResponse(), 0
        async for request in request_iterator:
            check_size(index)
            run, given = runs[request.dry_run], request.account
            try:
                taken = await run.import_row(to_row(request))
            except REFUSED as error:
                report.refusals.extend(to_notes(index, request.account_id, error))
                if not request.inactive:
                    run.note_refused(given.user_id, given.amazon_seller_id, given.marketplace)
            else:
                report.created += taken.outcome is Outcome.CREATED
                report.unchanged += taken.outcome is Outcome.UNCHANGED
                report.warnings.extend(to_notes(index, request.account_id, taken.warning) if taken.warning else ())
                report.results.append(to_result(index, taken))
            index += 1
        return report

    async def RecordCapture(self, request: pb2.RecordCaptureRequest, context: Any) -> pb2.RecordCaptureResponse:
        """Record in the audit log that an operator or a user captures an account's calls."""
        seconds = request.duration.ToSeconds()
        user = f" for {request.on_behalf_of}" if request.on_behalf_of else ""
        detail = f"{request.operation} for {seconds} s, by {request.caller}{user}"
        await self._admin.accounts.note(request.account_id, "calls.captured", detail)
        return pb2.RecordCaptureResponse()

    async def ListAuditEvents(self, request: pb2.ListAuditEventsRequest, context: Any) -> pb2.ListAuditEventsResponse:
        """Return one page of an audit chain; a user reads those of own accounts."""
        if user := visible_user(self._admin.operators, all_users=request.all_users):
            if not request.account_id:
                raise InvalidRequest.of_field(
                    "account_id", "must be set; only operators read the chain of global events"
                )
            await self._admin.accounts.get(request.account_id, user)
        order = EventOrder(request.newest_first, read_time(request, "since"))
        size, query = page_tokens.page_size(request.page_size), f"audit of {request.account_id}"
        if order != OLDEST_FIRST:
            query += f" {order}"
        after = page_tokens.decode_number(request.page_token, query)
        found = await self._admin.audit.events(self._admin.store, request.account_id, after, size + 1, order)
        page = fitting(found, size, to_event)
        token = page_tokens.encode_number(page[-1].sequence, query) if len(page) < len(found) else ""
        return pb2.ListAuditEventsResponse(events=page, next_page_token=token)

    async def VerifyAudit(self, request: pb2.VerifyAuditRequest, context: Any) -> pb2.VerifyAuditResponse:
        """Check the chains of the audit log."""
        finding = await verify(self._admin.store, self._admin.audit, request.account_id)
        return pb2.VerifyAuditResponse(checked=finding.checked, faults=finding.faults, fault_count=finding.fault_count)

    async def VerifyAuditAnchors(
        self, request_iterator: AsyncIterator[pb2.VerifyAuditAnchorsRequest], context: Any
    ) -> pb2.VerifyAuditAnchorsResponse:
        """Compare logged anchors with the audit log."""
        batches = (to_anchors(request) async for request in request_iterator)
        finding = await verify_anchors(self._admin.store, batches)
        return pb2.VerifyAuditAnchorsResponse(
            checked=finding.checked, faults=finding.faults, fault_count=finding.fault_count
        )
