"""`sellergate clients`: Sellergate credentials for SP-API SDKs (the drop-in endpoint)."""

from pathlib import Path
from typing import Annotated, Any

import typer
from sellergate.account.v1 import drop_in_client_service_pb2 as pb2
from sellergate_client.clients import Issued

from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Json, examples
from sellergate_cli.output import document, print_fields, print_rows
from sellergate_cli.suite import connect
from sellergate_cli.terminal import say

_COLUMNS = ("client_id", "user_id", "name", "account_ids", "create_time", "revoke_time")

app = typer.Typer(help="Manage Sellergate credentials for SP-API SDKs (drop-in clients).", no_args_is_help=True)


@app.command(epilog=examples("sellergate clients new ACCOUNT_ID --name 'Pricing service'"))
def new(
    account_ids: Annotated[list[str], typer.Argument(metavar="ACCOUNT_ID...", help="IDs of one user's accounts.")],
    user: Annotated[
        str, typer.Option(help="ID of the user that owns the accounts; defaults to the first account's.")
    ] = "",
    name: Annotated[str, typer.Option(help="Display name.")] = "",
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Create a drop-in client: a client ID, a client secret and a drop-in refresh token for each account.

    Secret and refresh tokens are shown only now. Configure the SDK with them, and store them nowhere else.
    """
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
    user: Annotated[str, typer.Option(help="List only this user's clients.")] = "",
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """List clients, oldest first, including revoked ones."""
    print_rows(complete(_list(state_dir, user)), _COLUMNS, as_json=as_json)


@app.command()
def revoke(client_id: Annotated[str, typer.Argument(help="Client ID (sgc_…).")], state_dir: StateDir = None) -> None:
    """Revoke a client.

    Its secret and drop-in refresh tokens stop working at once, its access tokens within 5 s.
    """

    async def do_revoke() -> pb2.DropInClient:
        async with connect(state_dir) as sellergate:
            return await sellergate.clients.revoke(client_id)

    complete(do_revoke())
    say("Revoked the client.")


async def _create(state_dir: Path | None, user: str, name: str, account_ids: list[str]) -> Issued:
    async with connect(state_dir) as sellergate:
        owner = user or (await sellergate.accounts.get(account_ids[0])).user_id
        return await sellergate.clients.create(owner, name, account_ids)


async def _list(state_dir: Path | None, user: str) -> list[dict[str, Any]]:
    async with connect(state_dir) as sellergate:
        return [document(client) async for client in sellergate.clients.each(user)]
