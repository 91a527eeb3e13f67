"""Safe text on a terminal: untrusted text cannot move the cursor, set the title, forge a line or reverse writing direction."""

import json
from typing import Any

import typer

# Persian and the scripts of India cannot be written without the joiners.
_SHOWN = frozenset("\u200c\u200d")


def say(text: str = "", *, err: bool = False) -> None:
    """Print the command's own text, possibly of several lines. Untrusted text in it must come from `harmless`."""
    typer.echo("\n".join(map(harmless, text.split("\n"))), err=err)


def harmless(text: object) -> str:
    r"""Return a value's text in one line, with characters that are not printable escaped (as in \x1b)."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() or one in _SHOWN else _escape(one) for one in shown)


def json_line(value: Any) -> str:
    r"""Return JSON in one line, with characters that are not printable escaped (as in \u001b)."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _SHOWN else json.dumps(one)[1:-1] for one in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
