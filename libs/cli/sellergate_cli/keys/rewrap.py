"""`sellergate keys rewrap`: seals everything that is stored under the newest key, while the suite runs."""

from pathlib import Path
from typing import Annotated

import typer
from sellergate.account.v1 import account_admin_service_pb2 as pb2
from sellergate_common.rpc.channel import invoke_stream

from sellergate_cli.operator import StateDir, admin_service, complete
from sellergate_cli.progress import counting
from sellergate_cli.terminal import harmless, say

_SECONDS = 24 * 3600.0
_MOST_SHOWN = 20


def rewrap(
    batch_size: Annotated[int, typer.Option(min=0, help="Rows in one transaction; 0: 200.")] = 0,
    state_dir: StateDir = None,
) -> None:
    """Seal everything under the newest key. Broken off, it goes on where it was; exit code 1 when something does not open."""
    unopened, done = complete(_rewrap(state_dir, batch_size), " The same command goes on where it was.")
    say(f"{done.rewrapped} secrets were sealed again, {done.skipped} were under the newest key already.")
    for row in unopened[:_MOST_SHOWN]:
        say(f"not opened: {harmless(row)}", err=True)
    if unopened:
        say(f"{len(unopened)} rows do not open; keep the old keys until they are dealt with.", err=True)
        raise typer.Exit(1)


async def _rewrap(state_dir: Path | None, batch_size: int) -> tuple[list[str], pb2.RewrapSecretsResponse]:
    unopened, step = list[str](), pb2.RewrapSecretsResponse()
    async with admin_service(state_dir) as admin:
        request = pb2.RewrapSecretsRequest(batch_size=batch_size)
        steps = invoke_stream(admin.RewrapSecrets, request, dependency="account", seconds=_SECONDS)
        with counting("Sealing", None) as moved:
            async for step in steps:
                unopened += step.unopened_ids
                moved(step.rewrapped + step.skipped, step.total)
    return unopened, step
