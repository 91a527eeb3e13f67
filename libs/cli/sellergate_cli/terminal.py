"""Safe text on a terminal: untrusted text cannot move the cursor, set the title, forge a line or reverse writing direction."""

import io
import json
import re
import sys
from typing import Any

import typer

# Persian and the scripts of India need the joiners.
_SHOWN = frozenset("\u200c\u200d")
_BLANKS_OR_TEXT = re.compile(r'("(?:[^"\\]|\\.)*"?)|[ \t\r\n]')


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
    return _shown_json(json.dumps(value, ensure_ascii=False, default=str))


def json_text_line(text: str) -> str:
    """Return a JSON text in one line, with its numbers and strings unchanged and without blanks between them."""
    return _shown_json(_BLANKS_OR_TEXT.sub(lambda found: found[1] or "", text.removeprefix("\ufeff")))


def use_escapes() -> None:
    r"""Make both outputs write escapes such as \xe9 for characters that their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _shown_json(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if text.isprintable() and _is_encodable(text, encoding):
        return text
    return "".join(
        one if (one.isprintable() or one in _SHOWN) and _is_encodable(one, encoding) else json.dumps(one)[1:-1]
        for one in text
    )


def _is_encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
