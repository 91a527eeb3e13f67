"""Pages of lists: as many items as were asked for, and no more than a megabyte of them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

PAGE_BYTES = 1_000_000

_Item = TypeVar("_Item")


def fitting(
    found: Sequence[_Item], size: int, to_message: Callable[[_Item], Any], most_bytes: int = PAGE_BYTES
) -> list[Any]:
    """Return the messages of the first items, `size` at most, with `most_bytes` in all; one at least."""
    messages: list[Any] = []
    total = 0
    for item in found[:size]:
        message = to_message(item)
        total += message.ByteSize()
        if messages and total > most_bytes:
            break
        messages.append(message)
    return messages
