"""`sellergate keys`: makes the keys that services read from files or the environment."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from sellergate_common.crypto.sealing import KEY_BYTES, encode_key, ring_entries
from sellergate_common.crypto.wrapping import SingleUse, ring_context, single_context, wrapped_ring_text

from sellergate_cli.keys.kms import new_wrapped_key
from sellergate_cli.keys.rewrap import rewrap
from sellergate_cli.terminal import say

SINGLE_KEY_BYTES = 32

app = typer.Typer(help="Make keys, and put a new one in front of a key ring.", no_args_is_help=True)

app.command()(rewrap)

Kid = Annotated[str, typer.Option(help="Id of the key in its ring; the day by default.")]
Kms = Annotated[
    str,
    typer.Option(help="Let this key of AWS KMS (id, alias or ARN) make and wrap it; for the account service's keys."),
]
Region = Annotated[str, typer.Option(envvar="AWS_REGION", help="Region of KMS; boto3's own by default.")]


@app.command()
def new(
    kid: Kid = "",
    single: Annotated[
        bool, typer.Option("--single", help="A single key, for SELLERGATE_INDEX_KEY and its like.")
    ] = False,
    use: Annotated[SingleUse | None, typer.Option("--for", help="What a wrapped single key is for.")] = None,
    kms: Kms = "",
    region: Region = "",
) -> None:
    """Print a new key: a line of a key ring (SELLERGATE_SEALING_KEYS, SELLERGATE_CACHE_KEYS_…), or a single key."""
    if use and not single:
        raise typer.BadParameter("--for goes with --single")
    if not single:
        line = _line(kid, kms, region)
        _check(line)
        say(line)
    elif not kms:
        say(encode_key(secrets.token_bytes(SINGLE_KEY_BYTES)))
    elif use:
        say(new_wrapped_key(kms, region, SINGLE_KEY_BYTES, single_context(use)))
    else:
        raise typer.BadParameter("KMS binds a single key to its use; say which with --for")


@app.command()
def rotate(
    file: Annotated[Path, typer.Argument(help="The key ring's file.", exists=True, dir_okay=False, writable=True)],
    kid: Kid = "",
    kms: Kms = "",
    region: Region = "",
) -> None:
    """Put a new key in front of a key ring: it seals from the next start on, and the old ones still open.

    Afterwards restart the services that read the file, re-wrap what is stored, and only then take the old key out.
    """
    text = file.read_text(encoding="utf-8")
    _check(text)
    ring = f"{_line(kid, kms, region)}\n{text}"
    _check(ring)
    draft = file.with_name(f".{file.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(ring, encoding="utf-8")
    draft.replace(file)
    say(f"{ring.partition(' ')[0]} seals from the next start on; {len(ring_entries(text))} older keys still open.")


def _check(ring: str) -> None:
    """End the command with the ring's own words when it is not a good one."""
    try:
        wrapped_ring_text(SecretStr(ring))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _line(kid: str, kms: str, region: str) -> str:
    kid = kid or datetime.now(UTC).strftime("k%Y%m%d")
    if kms:
        return f"{kid} {new_wrapped_key(kms, region, KEY_BYTES, ring_context(kid))}"
    return f"{kid} {encode_key(secrets.token_bytes(KEY_BYTES))}"
