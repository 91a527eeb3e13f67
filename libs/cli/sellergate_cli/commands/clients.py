"""`sellergate clients`: credentials of our own for SP-API SDKs (the drop-in endpoint)."""

from pathlib import Path
from typing import Annotated, Any

import typer
from sellergate.account.v1 import drop_in_client_service_pb2 as pb2
from sellergate_client.clients import Issued

from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Json
from sellergate_cli.output import document, print_fields, print_rows
from sellergate_cli.suite import connect
from sellergate_cli.terminal import say

_COLUMNS = ("client_id", "user_id", "name", "account_ids", "create_time", "revoke_time")

app = typer.Typer(help="Credentials of ours for SP-API SDKs.", no_args_is_help=True)


@app.command()
def new(
    account_ids: Annotated[list[str], typer.Argument(metavar="ACCOUNT_ID...", help="Accounts of one user.")],
    user: Annotated[str, typer.Option(help="The user who owns them; by default the first account's.")] = "",
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Make a client. Its secret and its handles are shown this once: give them to the SDK, and keep them nowhere else."""
    made = complete(_create(state_dir, user, name, account_ids))
    shown = {
        "client_id": made.client.client_id,
        "client_secret": made.secret.get_secret_value(),
        "handles": {account_id: handle.get_secret_value() for account_id, handle in made.handles.items()},
    }
    if as_json:
        print_fields(shown, as_json=True)
        return
    print_fields(
        {
            "client id": made.client.client_id,
            "client secret": shown["client_secret"],
            **{f"refresh token for {one}": handle.get_secret_value() for one, handle in made.handles.items()},
        },
        as_json=False,
    )


@app.command("list")
def list_clients(
    user: Annotated[str, typer.Option(help="Only this user's.")] = "", as_json: Json = False, state_dir: StateDir = None
) -> None:
    """List clients, oldest first, also those that are revoked."""
    print_rows(complete(_list(state_dir, user)), _COLUMNS, as_json=as_json)


@app.command()
def revoke(
    client_id: Annotated[str, typer.Argument(help="The client's id (sgc_…).")], state_dir: StateDir = None
) -> None:
    """End a client: its secret and handles at once, tokens that it still has within five seconds."""

    async def do_revoke() -> pb2.DropInClient:
        async with connect(state_dir) as sellergate:
            return await sellergate.clients.revoke(client_id)

    complete(do_revoke())
    say("The client is revoked.")


async def _create(state_dir: Path | None, user: str, name: str, account_ids: list[str]) -> Issued:
    async with connect(state_dir) as sellergate:
        owner = user or (await sellergate.accounts.get(account_ids[0])).user_id
        return await sellergate.clients.create(owner, name, account_ids)


async def _list(state_dir: Path | None, user: str) -> list[dict[str, Any]]:
    async with connect(state_dir) as sellergate:
        return [document(client) async for client in sellergate.clients.each(user)]
