"""Options that several commands take, and how values of k=v are read."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

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


def _not_from_the_command_line(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """Take a secret from its variable only: every user of a machine sees its command lines."""
    source = context.get_parameter_source(parameter.name or "")
    if source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter(f"is taken from {parameter.envvar} or asked for, and not from the command line")
    return value


def from_environment(variable: str) -> Any:
    """Return the declaration of a secret that a variable may hold; a typer option without a documented name."""
    return typer.Option(envvar=variable, hidden=True, callback=_not_from_the_command_line)


def secret(variable: str, value: str, what: str) -> SecretStr:
    """Return a secret from its variable, from a file where the variable holds @FILE (@- for standard input), or ask for it."""
    if value.startswith("@"):
        return _from_file(variable, value[1:])
    if value:
        return SecretStr(value)
    if not sys.stdin.isatty():
        fail(f"Set {variable} to {what}, or to @ and a file that holds it (@- for standard input).")
    return SecretStr(typer.prompt(what, hide_input=True))


def _from_file(variable: str, name: str) -> SecretStr:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{variable}: the file that it names cannot be read ({type(error).__name__}).")
    return SecretStr(text.rstrip("\n"))
