"""Pages of lists, bounded by the requested number of items and by one megabyte."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sellergate_account.model import Cursor
from sellergate_account.rpc import page_tokens

PAGE_BYTES = 1_000_000

_Item = TypeVar("_Item")


def fitting(
    found: Sequence[_Item], size: int, to_message: Callable[[_Item], Any], most_bytes: int = PAGE_BYTES
) -> list[Any]:
    """Return the messages of the first items: at most `size` and `most_bytes` in all, but at least one."""
    messages: list[Any] = []
    total = 0
    for item in found[:size]:
        message = to_message(item)
        total += message.ByteSize()
        if messages and total > most_bytes:
            break
        messages.append(message)
    return messages


def page_of(
    found: Sequence[_Item],
    size: int,
    query: object,
    to_message: Callable[[_Item], Any],
    cursor_of: Callable[[_Item], Cursor],
    *,
    more: bool = False,
) -> tuple[list[Any], str]:
    """Return the messages of a page and the token of the next one, which is empty where the list ends.

    More items follow where `found` holds one item more than `size`, or where `more` is true.
    """
    messages = fitting(found, size, to_message)
    if not messages or not (more or len(messages) < len(found)):
        return messages, ""
    return messages, page_tokens.encode(cursor_of(found[len(messages) - 1]), query)
