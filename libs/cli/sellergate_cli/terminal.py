"""Text on a terminal: what others wrote cannot move the cursor, rename a window, forge a line or turn the direction of writing."""

import json
from typing import Any

import typer

# Persian and the scripts of India cannot be written without the joiners.
_SHOWN = frozenset("\u200c\u200d")


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text of the command's own, which may have several lines; what others wrote goes into it through `harmless`."""
    typer.echo("\n".join(map(harmless, text.split("\n"))), err=err)


def harmless(text: object) -> str:
    r"""Return a value's text in one line, with \x1b and its like for every character that is not printable."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() or one in _SHOWN else _escape(one) for one in shown)


def json_line(value: Any) -> str:
    r"""Return JSON in one line that means the same, with \u001b and its like for every character that is not printable."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _SHOWN else json.dumps(one)[1:-1] for one in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
