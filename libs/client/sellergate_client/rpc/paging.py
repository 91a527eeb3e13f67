"""Iteration over all items of a paged list."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

PAGE_SIZE = 500


class Page(Protocol):
    """A page of a list in the contracts."""

    @property
    def next_page_token(self) -> str:
        """Token of the next page; empty: this was the last."""


_Page = TypeVar("_Page", bound=Page)
_Item = TypeVar("_Item")


async def items_of(
    ask: Callable[[str], Awaitable[_Page]], items: Callable[[_Page], Iterable[_Item]]
) -> AsyncGenerator[_Item]:
    """Yield the items of all pages; `ask` returns the page of a token. Raises what `ask` raises."""
    token = ""
    while True:
        page = await ask(token)
        for item in items(page):
            yield item
        token = page.next_page_token
        if not token:
            return
