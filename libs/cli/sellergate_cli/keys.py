"""`sellergate keys`: makes the keys that services read from files or the environment."""

import base64
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sellergate_common.sealing import KEY_BYTES, KeyRing

SINGLE_KEY_BYTES = 32

app = typer.Typer(help="Make keys, and put a new one in front of a key ring.", no_args_is_help=True)


@app.command()
def new(
    kid: Annotated[str, typer.Option(help="Id of the key in its ring; the day by default.")] = "",
    single: Annotated[
        bool, typer.Option("--single", help="A single key, for SELLERGATE_INDEX_KEY and its like.")
    ] = False,
) -> None:
    """Print a new key: a line of a key ring (SELLERGATE_SEALING_KEYS, SELLERGATE_CACHE_KEYS_…), or a single key."""
    typer.echo(_random(SINGLE_KEY_BYTES) if single else _checked_line(kid))


@app.command()
def rotate(
    file: Annotated[Path, typer.Argument(help="The key ring's file.", exists=True, dir_okay=False, writable=True)],
    kid: Annotated[str, typer.Option(help="Id of the new key; the day by default.")] = "",
) -> None:
    """Put a new key in front of a key ring: it seals from the next start on, and the old ones still open.

    Afterwards restart the services that read the file, re-wrap what is stored, and only then take the old key out.
    """
    text = file.read_text(encoding="utf-8")
    ring = f"{_line(kid)}\n{text}"
    _check(text)
    _check(ring)
    draft = file.with_name(f".{file.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(ring, encoding="utf-8")
    draft.replace(file)
    typer.echo(
        f"{ring.partition(' ')[0]} seals from the next start on; {len(KeyRing.parse(text).keys)} older keys still open."
    )


def _checked_line(kid: str) -> str:
    line = _line(kid)
    _check(line)
    return line


def _check(ring: str) -> None:
    """End the command with the ring's own words when it is not a good one."""
    try:
        KeyRing.parse(ring)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _line(kid: str) -> str:
    return f"{kid or datetime.now(UTC).strftime('k%Y%m%d')} {_random(KEY_BYTES)}"


def _random(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode().rstrip("=")
