"""Opaque page tokens: the start of the next page, the list and the seller."""

import base64
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from sellergate_simulator.http.responses import invalid_input

T = TypeVar("T")


def page(items: Sequence[T], start: int, size: int) -> tuple[Sequence[T], int | None]:
    """Return `size` items from `start` on, and the start of the next page (None after the last page)."""
    end = start + size
    return items[start:end], end if end < len(items) else None


def encode(kind: str, seller: str, state: dict[str, Any]) -> str:
    """Return a token with a state for the next request for the same list by the same seller."""
    text = json.dumps([kind, seller, state], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode(token: str, kind: str, seller: str, name: str) -> dict[str, Any]:
    """Return the state in a token. Raises the 400 that names the parameter for an invalid token."""
    try:
        found_kind, found_seller, state = json.loads(base64.urlsafe_b64decode(token.encode()))
        if (found_kind, found_seller) == (kind, seller):
            return dict(state)
    except (ValueError, TypeError):
        pass
    raise invalid_input(f"Invalid {name}.")
