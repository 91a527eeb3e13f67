"""`sellergate audit`: reads the audit log and checks it for tampering."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sellergate_cli.operator import SentenceError, StateDir, admin_service, complete
from sellergate_cli.options import TIME_FORMATS, Json, in_utc
from sellergate_cli.output import document, print_rows
from sellergate_cli.terminal import harmless, say

if TYPE_CHECKING:
    from sellergate.account.v1.account_admin_service_pb2 import (
        AuditEvent,
        VerifyAuditAnchorsRequest,
        VerifyAuditAnchorsResponse,
        VerifyAuditResponse,
    )

PAGE_SIZE = 500
# Seconds, because a verification reads every event.
VERIFY_SECONDS = 3600.0
ANCHOR_EVENT = "audit_anchor"
ANCHORS_AT_ONCE = 1000
_ANCHOR_FIELDS = {"chain": str, "number": int, "mac": str, "revision": int}
_COLUMNS = ("sequence", "create_time", "action", "caller", "on_behalf_of", "subject", "detail", "request_id")

app = typer.Typer(help="Read the audit log and check it for tampering.", no_args_is_help=True)


@app.command("list")
def list_events(
    account_id: Annotated[str, typer.Argument(help="Account ID; without one, events that concern no account.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of events; 0 lists all.")] = 100,
    since: Annotated[
        datetime | None, typer.Option(formats=TIME_FORMATS, help="List only events from this time on (UTC).")
    ] = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="List the oldest events first.")] = False,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """List audit events of an account, newest first: the action, its caller and the user."""
    events, more = complete(_events(state_dir, account_id, limit, in_utc(since), newest_first=not oldest_first))
    print_rows(map(document, events), _COLUMNS, as_json=as_json)
    if more:
        which = "oldest" if oldest_first else "newest"
        say(f"Showing the {which} {limit} events. Use --limit 0 for all.", err=True)


@app.command()
def verify(
    account_id: Annotated[
        str, typer.Argument(help="Account ID, also of a deleted account; without one, all accounts.")
    ] = "",
    anchors: Annotated[
        Path | None,
        typer.Option(
            "--anchors",
            exists=True,
            dir_okay=False,
            help="Log file of the account service; every audit event logged there must be in the database.",
        ),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Check the audit log and the stored rows for tampering.

    Detects events and rows that were changed, removed, reordered, rolled back or truncated. Prints a line for each fault; exit
    code 1 if there is any.
    """
    finding = complete(_verify(state_dir, account_id))
    where = f"account {account_id}" if account_id else "all accounts and the global chain"
    is_well = _report(finding, f"events of {where}")
    if anchors is not None:
        is_well &= _report(complete(_compare(state_dir, anchors)), f"events logged in {anchors}")
    if not is_well:
        raise typer.Exit(1)


def _report(finding: "VerifyAuditResponse | VerifyAuditAnchorsResponse", what: str) -> bool:
    """Print the faults and a summary; return whether there are no faults."""
    for fault in finding.faults:
        say(harmless(fault))
    if finding.fault_count > len(finding.faults):
        say(f"… and {finding.fault_count - len(finding.faults)} more")
    outcome = f"faults: {finding.fault_count}" if finding.fault_count else "no faults"
    say(f"Checked {finding.checked} {what}: {outcome}.")
    return not finding.fault_count


async def _events(
    state_dir: Path | None, account_id: str, limit: int, since: datetime | None, *, newest_first: bool
) -> "tuple[list[AuditEvent], bool]":
    """Return the first `limit` events of a chain in the order that was asked for, and whether there are more."""
    from sellergate.account.v1.account_admin_service_pb2 import ListAuditEventsRequest  # noqa: PLC0415
    from sellergate_common.rpc.channel import invoke  # noqa: PLC0415
    from sellergate_common.rpc.timestamps import from_datetime  # noqa: PLC0415

    events: list[AuditEvent] = []
    token = ""
    async with admin_service(state_dir) as admin:
        while True:
            size = min(PAGE_SIZE, limit - len(events)) if limit else PAGE_SIZE
            request = ListAuditEventsRequest(
                account_id=account_id,
                page_size=size,
                page_token=token,
                newest_first=newest_first,
                since=from_datetime(since),
            )
            page = await invoke(admin.ListAuditEvents, request, dependency="account")
            events.extend(page.events)
            token = page.next_page_token
            if not token or len(events) == limit:
                return events, bool(token)


async def _verify(state_dir: Path | None, account_id: str) -> "VerifyAuditResponse":
    from sellergate.account.v1.account_admin_service_pb2 import VerifyAuditRequest  # noqa: PLC0415
    from sellergate_common.rpc.channel import invoke  # noqa: PLC0415

    request = VerifyAuditRequest(account_id=account_id)
    async with admin_service(state_dir) as admin:
        return await invoke(admin.VerifyAudit, request, dependency="account", seconds=VERIFY_SECONDS)


async def _compare(state_dir: Path | None, logs: Path) -> "VerifyAuditAnchorsResponse":
    from sellergate.account.v1.account_admin_service_pb2 import AuditAnchor, VerifyAuditAnchorsRequest  # noqa: PLC0415
    from sellergate_common.rpc.channel import invoke_client_stream  # noqa: PLC0415

    # Every line is read before the first is sent: an error raised inside a request stream is lost.
    if not sum(1 for _ in anchors_of(logs)):
        raise SentenceError(f"{logs} contains no audit event. Give a log of the account service at level info.")

    def requests() -> "Iterator[VerifyAuditAnchorsRequest]":
        for batch in batches(anchors_of(logs), ANCHORS_AT_ONCE):
            yield VerifyAuditAnchorsRequest(anchors=[AuditAnchor(**anchor) for anchor in batch])

    async with admin_service(state_dir) as admin:
        return await invoke_client_stream(
            admin.VerifyAuditAnchors, requests(), dependency="account", seconds=VERIFY_SECONDS
        )


def anchors_of(logs: Path) -> "Iterator[dict[str, Any]]":
    """Yield the audit anchors in a log and skip other lines. Raises SentenceError for an incomplete line."""
    with logs.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if ANCHOR_EVENT not in line:
                continue
            try:
                # Collectors write a prefix before what a process has logged.
                event = json.loads(line[line.index("{") :])
                if event["event"] == ANCHOR_EVENT:
                    yield {name: kind(event[name]) for name, kind in _ANCHOR_FIELDS.items()}
            except (ValueError, KeyError, TypeError):
                raise SentenceError(
                    f"{logs}, line {number}: the audit event is not valid JSON. Give the complete log file."
                ) from None


def batches(items: "Iterable[dict[str, Any]]", size: int) -> "Iterator[list[dict[str, Any]]]":
    """Yield the items in lists of a size; the last may be shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
