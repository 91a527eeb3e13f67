"""The reference of the command line, from the commands' own help."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sellergate_cli.__main__ import app
from typer.main import get_command

HEAD = """# All commands

Every command of `sellergate` with its arguments and options, generated from its help. [cli.md](../cli.md) says how to begin, and
what the exit codes mean.
"""


def page(_: Path) -> str:
    """Return the page."""
    return HEAD + "".join(_command("sellergate", get_command(app)))


def _command(name: str, command: Any) -> Iterator[str]:
    inside = getattr(command, "commands", {})
    if not inside:
        yield f"\n## {name}\n\n{_text(command.help)}\n"
        rows = [row for parameter in command.params if (row := _parameter(parameter))]
        if rows:
            yield "\n| option | |\n|---|---|\n" + "".join(rows)
    for word in sorted(inside):
        yield from _command(f"{name} {word}", inside[word])


def _parameter(parameter: Any) -> str:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return ""
    names = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
    shown = ", ".join(f"`{one}`" for one in (*names, *parameter.secondary_opts))
    return f"| {shown} | {_text(getattr(parameter, 'help', ''))} |\n"


def _text(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[").split())
