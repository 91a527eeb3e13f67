"""`sellergate audit`: reads the audit log, and checks that nobody has rewritten it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sellergate_cli.operator import StateDir, admin_service, completed
from sellergate_cli.options import Json
from sellergate_cli.output import document, print_rows

if TYPE_CHECKING:
    from sellergate.account.v1.account_admin_service_pb2 import AuditEvent, VerifyAuditResponse

PAGE_SIZE = 500
# A check walks through every event there is.
VERIFY_SECONDS = 3600.0
_COLUMNS = ("sequence", "create_time", "action", "caller", "on_behalf_of", "subject", "detail", "request_id")

app = typer.Typer(help="Read the audit log, and check it.", no_args_is_help=True)


@app.command("list")
def list_events(
    account_id: Annotated[str, typer.Argument(help="The account; without one, what happened outside accounts.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Events to show, oldest first; 0: all.")] = 100,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Show who did what to an account, oldest first."""
    events, more = completed(_events(state_dir, account_id, limit))
    print_rows(map(document, events), _COLUMNS, as_json=as_json)
    if more:
        typer.echo(f"There are more than {limit}; --limit 0 shows all.", err=True)


@app.command()
def verify(
    account_id: Annotated[str, typer.Argument(help="The account, also one that is gone; without one, all.")] = "",
    state_dir: StateDir = None,
) -> None:
    """Check the audit log for events that were changed, removed, reordered or cut off; exit code 1 when there are any."""
    finding = completed(_verified(state_dir, account_id))
    where = f"account {account_id}" if account_id else "all accounts and the global chain"
    for fault in finding.faults:
        typer.echo(fault)
    if finding.fault_count > len(finding.faults):
        typer.echo(f"… and {finding.fault_count - len(finding.faults)} more")
    if finding.fault_count:
        typer.echo(f"{finding.checked} events of {where} checked; faults: {finding.fault_count}.")
        raise typer.Exit(1)
    typer.echo(f"{finding.checked} events of {where} checked; nothing is wrong.")


async def _events(state_dir: Path | None, account_id: str, limit: int) -> "tuple[list[AuditEvent], bool]":
    """Return the first `limit` events of a chain, and whether there are more."""
    from sellergate.account.v1.account_admin_service_pb2 import ListAuditEventsRequest  # noqa: PLC0415
    from sellergate_common.rpc.channel import invoke  # noqa: PLC0415

    events: list[AuditEvent] = []
    token = ""
    async with admin_service(state_dir) as admin:
        while True:
            size = min(PAGE_SIZE, limit - len(events)) if limit else PAGE_SIZE
            request = ListAuditEventsRequest(account_id=account_id, page_size=size, page_token=token)
            page = await invoke(admin.ListAuditEvents, request, dependency="account")
            events.extend(page.events)
            token = page.next_page_token
            if not token or len(events) == limit:
                return events, bool(token)


async def _verified(state_dir: Path | None, account_id: str) -> "VerifyAuditResponse":
    from sellergate.account.v1.account_admin_service_pb2 import VerifyAuditRequest  # noqa: PLC0415
    from sellergate_common.rpc.channel import invoke  # noqa: PLC0415

    request = VerifyAuditRequest(account_id=account_id)
    async with admin_service(state_dir) as admin:
        return await invoke(admin.VerifyAudit, request, dependency="account", seconds=VERIFY_SECONDS)
