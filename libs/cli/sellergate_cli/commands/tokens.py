"""`sellergate tokens`: the shared cache of access tokens. No command shows a token."""

from typing import Annotated

import typer
from sellergate.token.v1 import token_service_pb2 as pb2
from sellergate_common.rpc.channel import invoke

from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Json
from sellergate_cli.output import document, print_fields
from sellergate_cli.suite import token_service
from sellergate_cli.terminal import say

app = typer.Typer(help="Inspect and clear the cache of access tokens.", no_args_is_help=True)


@app.command()
def stats(as_json: Json = False, state_dir: StateDir = None) -> None:
    """Show the token service's counters: cache entries, hits and exchanges with LWA."""

    async def fetch() -> pb2.GetTokenCacheStatsResponse:
        async with token_service(state_dir) as tokens:
            return await invoke(tokens.GetTokenCacheStats, pb2.GetTokenCacheStatsRequest(), dependency="token")

    print_fields(document(complete(fetch())), as_json=as_json)


@app.command()
def clear(
    account_id: Annotated[str, typer.Argument(help="Account ID; without one, all accounts.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Clear cached access tokens. The next call of each account exchanges its refresh token again."""
    if not account_id and not yes:
        typer.confirm("Clear the cached tokens of all accounts?", abort=True, err=True)

    async def do_clear() -> int:
        async with token_service(state_dir) as tokens:
            request = pb2.ClearTokenCacheRequest(account_id=account_id)
            return (await invoke(tokens.ClearTokenCache, request, dependency="token")).cleared

    say(f"{complete(do_clear())} tokens dropped.")
