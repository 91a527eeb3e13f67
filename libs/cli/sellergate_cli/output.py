"""Output of commands: tables for people, JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sellergate_cli.terminal import harmless, json_line, say

# A file or a pipe has no width that limits a table.
_WIDE = 1000
_STYLES = {"OK": "green", "ACTIVE": "green", "WARNING": "yellow", "FAILED": "red", "AUTHORIZATION_REVOKED": "red"}


def document(message: Message) -> dict[str, Any]:
    """Return a message as a JSON object with the contract's field names and all fields that are present."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as JSON, or their columns as a table of the terminal's width."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        # Text objects, because an ID may look like markup.
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    console.print(table)


def print_fields(row: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one object as JSON, or with one line per field."""
    if as_json:
        print_json(row)
        return
    width = max(map(len, row), default=0)
    for name, value in row.items():
        say(f"{name:<{width}}  {_text(value)}")


def print_json(row: Mapping[str, Any]) -> None:
    """Print a JSON document on one line."""
    say(json_line(row))


def _cell(value: Any) -> Text:
    text = _text(value)
    return Text(text, _STYLES.get(text, ""))


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(harmless, value))
    return harmless(value)
