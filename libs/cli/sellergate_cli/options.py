"""Options that several commands take, and how values of k=v are read."""

import sys
from datetime import datetime
from typing import Annotated

import typer
from pydantic import SecretStr

from sellergate_cli.operator import fail

Json = Annotated[bool, typer.Option("--json", help="JSON for programs, one document a line.")]
Account = Annotated[
    str,
    typer.Option(
        "--account",
        "-a",
        envvar="SELLERGATE_ACCOUNT_ID",
        help="The account; in a local run its demo account by default.",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A query parameter; may be given several times."),
]
Time = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ"])]


def pairs(given: list[str] | None, option: str) -> list[tuple[str, str]]:
    """Read NAME=VALUE texts. Ends the command where one is none."""
    found = []
    for text in given or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{option} takes NAME=VALUE, and got {text!r}")
        found.append((name, value))
    return found


def secret(variable: str, value: str, what: str) -> SecretStr:
    """Return a secret from its variable, or ask a person for it; it never stands on the command line."""
    if value:
        return SecretStr(value)
    if not sys.stdin.isatty():
        fail(f"Set {variable}: {what}.")
    return SecretStr(typer.prompt(what, hide_input=True))
