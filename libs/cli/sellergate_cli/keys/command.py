"""`sellergate keys`: creates the keys that services read from files or the environment."""

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
from sellergate_cli.options import examples
from sellergate_cli.terminal import say

SINGLE_KEY_BYTES = 32

app = typer.Typer(help="Create encryption keys, rotate key rings and re-encrypt stored secrets.", no_args_is_help=True)

app.command()(rewrap)

Kid = Annotated[str, typer.Option(help="Key ID in its ring; defaults to the date.")]
Kms = Annotated[
    str,
    typer.Option(
        help="AWS KMS key (ID, alias or ARN) that generates and wraps the key; only for keys of the account service."
    ),
]
Region = Annotated[str, typer.Option(envvar="AWS_REGION", help="AWS region of KMS; defaults to boto3's.")]


@app.command(
    epilog=examples(
        "sellergate keys new",
        "sellergate keys new --kms alias/sellergate",
        "sellergate keys new --kms alias/sellergate --single --for index-key",
    )
)
def new(
    kid: Kid = "",
    single: Annotated[
        bool, typer.Option("--single", help="Create a single key, such as SELLERGATE_INDEX_KEY.")
    ] = False,
    use: Annotated[SingleUse | None, typer.Option("--for", help="Purpose of a single key that KMS wraps.")] = None,
    kms: Kms = "",
    region: Region = "",
) -> None:
    """Create a key and print it: a line of a key ring (SELLERGATE_SEALING_KEYS, SELLERGATE_CACHE_KEYS_…), or a single key."""
    if use and not single:
        raise typer.BadParameter("--for applies only to single keys; add --single")
    if not single:
        line = _line(kid, kms, region)
        _check(line)
        say(line)
    elif not kms:
        say(encode_key(secrets.token_bytes(SINGLE_KEY_BYTES)))
    elif use:
        say(new_wrapped_key(kms, region, SINGLE_KEY_BYTES, single_context(use)))
    else:
        raise typer.BadParameter("KMS binds a single key to its purpose; name it with --for")


@app.command()
def rotate(
    file: Annotated[Path, typer.Argument(help="Key ring file.", exists=True, dir_okay=False, writable=True)],
    kid: Kid = "",
    kms: Kms = "",
    region: Region = "",
) -> None:
    """Add a new key to the front of a key ring file.

    After a restart services encrypt with the new key and still decrypt with the older ones. Then run `sellergate keys rewrap`,
    and only afterwards remove the old key.
    """
    text = file.read_text(encoding="utf-8")
    _check(text)
    ring = f"{_line(kid, kms, region)}\n{text}"
    _check(ring)
    draft = file.with_name(f".{file.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(ring, encoding="utf-8")
    draft.replace(file)
    kid = ring.partition(" ")[0]
    say(f"Added {kid}: services encrypt with it after a restart; {len(ring_entries(text))} older keys still decrypt.")


def _check(ring: str) -> None:
    """Raise BadParameter if a key ring is invalid."""
    try:
        wrapped_ring_text(SecretStr(ring))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _line(kid: str, kms: str, region: str) -> str:
    kid = kid or datetime.now(UTC).strftime("k%Y%m%d")
    if kms:
        return f"{kid} {new_wrapped_key(kms, region, KEY_BYTES, ring_context(kid))}"
    return f"{kid} {encode_key(secrets.token_bytes(KEY_BYTES))}"
