"""Options that several commands share, and the parser of NAME=VALUE texts."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from sellergate_cli.completion import complete_account
from sellergate_cli.operator import fail

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document per line.")]
Account = Annotated[
    str,
    typer.Option(
        "--account",
        "-a",
        envvar="SELLERGATE_ACCOUNT_ID",
        help="Account ID; defaults to the demo account of a local run.",
        autocompletion=complete_account,
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A query parameter; repeat for several."),
]
TIME_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ"]
Time = Annotated[datetime | None, typer.Option(formats=TIME_FORMATS)]


def in_utc(time: datetime | None) -> datetime | None:
    """Return a time in UTC, which a time without an offset is taken to be. Raises BadParameter outside of the calendar."""
    if time is None:
        return None
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter(f"{time.isoformat()} must be a time between the years 1 and 9999") from None


def pairs(given: list[str] | None, option: str) -> list[tuple[str, str]]:
    """Return the pairs of NAME=VALUE texts. Raises BadParameter for another form."""
    found = []
    for text in given or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{option} must be NAME=VALUE, not {text!r}")
        found.append((name, value))
    return found


def _not_from_the_command_line(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """Refuse a secret on the command line, which every user of the machine can see."""
    source = context.get_parameter_source(parameter.name or "")
    if source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter(
            f"is a secret and not accepted on the command line; set {parameter.envvar}, or let the command prompt"
        )
    return value


def examples(*commands: str) -> str:
    """Return the epilog of a help page with example commands, a line each."""
    return "\n\n".join(("Examples:", *commands))


def from_environment(variable: str) -> Any:
    """Return a hidden option whose value comes only from an environment variable."""
    return typer.Option(envvar=variable, hidden=True, callback=_not_from_the_command_line)


def secret(variable: str, value: str, what: str) -> SecretStr:
    """Return a secret from its variable, from the file that @FILE there names (@- is standard input), or from a prompt."""
    if value.startswith("@"):
        return _from_file(variable, value[1:])
    if value:
        return SecretStr(value)
    if not sys.stdin.isatty():
        fail(f"{what[0].upper()}{what[1:]} is missing. Set {variable} to it, or to @FILE (@- for standard input).")
    return SecretStr(typer.prompt(what, hide_input=True))


def _from_file(variable: str, name: str) -> SecretStr:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(
            f"Cannot read the file that {variable} names ({type(error).__name__}). Check its path and encoding (UTF-8)."
        )
    return SecretStr(text.rstrip("\n"))
