"""`sellergate keys rewrap`: re-encrypts all stored secrets under the newest key while the suite runs."""

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
    batch_size: Annotated[int, typer.Option(min=0, help="Rows per transaction; 0 uses 200.")] = 0,
    state_dir: StateDir = None,
) -> None:
    """Re-encrypt all stored secrets under the newest key while the suite runs.

    Run the command again after an interruption; it continues. Exit code 1 if a secret cannot be decrypted.
    """
    unopened, done = complete(_rewrap(state_dir, batch_size), " Run the same command again to continue.")
    say(f"Re-encrypted {done.rewrapped} secrets; {done.skipped} already used the newest key.")
    for row in unopened[:_MOST_SHOWN]:
        say(f"cannot decrypt: {harmless(row)}", err=True)
    if unopened:
        say(
            f"{len(unopened)} rows cannot be decrypted. Keep the old keys until these rows are repaired or removed.",
            err=True,
        )
        raise typer.Exit(1)


async def _rewrap(state_dir: Path | None, batch_size: int) -> tuple[list[str], pb2.RewrapSecretsResponse]:
    unopened, step = list[str](), pb2.RewrapSecretsResponse()
    async with admin_service(state_dir) as admin:
        request = pb2.RewrapSecretsRequest(batch_size=batch_size)
        steps = invoke_stream(admin.RewrapSecrets, request, dependency="account", seconds=_SECONDS)
        with counting("Re-encrypting", None) as moved:
            async for step in steps:
                unopened += step.unopened_ids
                moved(step.rewrapped + step.skipped, step.total)
    return unopened, step
