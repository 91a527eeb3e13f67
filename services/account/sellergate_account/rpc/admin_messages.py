"""The translation between messages and the domain, for operators' work."""

from collections.abc import Iterator
from dataclasses import replace

from sellergate.account.v1 import account_admin_service_pb2 as pb2
from sellergate_common.errors import FieldViolation, InvalidRequest, SellergateError
from sellergate_common.rpc.timestamps import from_datetime, read_time
from sellergate_common.rpc.validation import validate

from sellergate_account.admin.legacy_import import ImportResult, Outcome, Row
from sellergate_account.model import Anchor, AuditEvent, Origin, State
from sellergate_account.rpc.account_messages import to_connection

_MAX_SHOWN_ID = 64
# The fields of the row itself; all others belong to its account.
_OWN_FIELDS = frozenset({"account_id", "account", "create_time", "update_time", "inactive", "shared_application_id"})
_OUTCOMES = {
    Outcome.CREATED: pb2.ImportOutcome.IMPORT_OUTCOME_CREATED,
    Outcome.UNCHANGED: pb2.ImportOutcome.IMPORT_OUTCOME_UNCHANGED,
}


def to_row(request: pb2.ImportAccountsRequest) -> Row:
    """Read an account to import. Raises InvalidRequest."""
    if not request.HasField("account"):
        raise InvalidRequest.of_field("account", "must be set")
    validate(request.account)
    origin = Origin(
        account_id=request.account_id,
        state=State.INACTIVE if request.inactive else State.ACTIVE,
        create_time=read_time(request, "create_time"),
        update_time=read_time(request, "update_time"),
        role_without_external_id=request.role_without_external_id,
        detail="import",
    )
    return Row(to_connection(request.account), origin, request.use_shared_application, request.shared_application_id)


def to_result(index: int, result: ImportResult) -> pb2.ImportResult:
    """Return the result of a row that was not refused as a message."""
    outcome = _OUTCOMES[result.outcome]
    return pb2.ImportResult(index=index, outcome=outcome, shared_application_id=result.shared_application_id)


def to_notes(index: int, account_id: str, error: SellergateError) -> Iterator[pb2.ImportNote]:
    """Yield a note with the reasons of a refusal or warning; it names the first field for all of them."""
    violations = error.violations or [FieldViolation("account", error.message)]
    first = violations[0]
    if first.field not in _OWN_FIELDS:
        first = replace(first, field=f"account.{first.field}")
    words = "; ".join(violation.description for violation in violations)
    yield pb2.ImportNote(index=index, account_id=account_id[:_MAX_SHOWN_ID], field=first.field, description=words)


def to_event(event: AuditEvent) -> pb2.AuditEvent:
    """Return an event of an audit chain as a message."""
    return pb2.AuditEvent(
        sequence=event.sequence,
        account_id=event.chain,
        action=event.action,
        caller=event.caller,
        on_behalf_of=event.on_behalf_of,
        request_id=event.request_id,
        create_time=from_datetime(event.create_time),
        subject=event.subject,
        detail=event.detail,
    )


def to_anchors(request: pb2.VerifyAuditAnchorsRequest) -> list[Anchor]:
    """Read the anchors of some audit events."""
    return [Anchor(one.chain, one.number, one.mac, one.revision) for one in request.anchors]
