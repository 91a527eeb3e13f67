"""Inputs as texts that people can read: a response of HTTP as bytes, and its parts."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[str, str], ...]
NEXT = b"\n---\n"
"""Separates several responses in one input."""


@dataclass(frozen=True, slots=True)
class Http:
    """A status, a word that chooses between cases, headers and a body."""

    status: int
    word: str
    headers: Headers
    body: bytes


def http_of(data: bytes) -> Http:
    """Read `200 word`, lines of headers, an empty line, and the body. Bytes of any form are read as something."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    status, _, word = first.partition(" ")
    headers = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Http(int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 200, word, headers, body)


def http(status: int, body: object = b"", *, word: str = "", **headers: str) -> bytes:
    """Return a response as an input; a body that is no bytes becomes JSON."""
    lines = [f"{status} {word}".strip(), *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\n".join(lines).encode("latin-1") + b"\n\n" + (body if isinstance(body, bytes) else as_json(body))


def as_json(value: object) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()


def text_of(data: bytes) -> str:
    """Return bytes as the text that gRPC and HTTP can carry: without unpaired surrogates."""
    return data.decode("utf-8", "replace")


def lines_of(data: bytes, count: int) -> list[str]:
    """Return exactly `count` texts, which line feeds separate; the last one has the rest."""
    parts = text_of(data).split("\n", count - 1)
    return parts + [""] * (count - len(parts))


def object_in(data: bytes) -> dict[str, Any]:
    """Return the JSON object of an input; an empty one for any other input."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def responses_of(data: bytes) -> Iterator[Http]:
    """Yield the responses of an input."""
    return map(http_of, data.split(NEXT))
