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
    fetch_page: Callable[[str], Awaitable[_Page]], items: Callable[[_Page], Iterable[_Item]]
) -> AsyncGenerator[_Item]:
    """Yield the items of all pages; `fetch_page` returns the page of a token. Raises what `fetch_page` raises."""
    token = ""
    while True:
        page = await fetch_page(token)
        for item in items(page):
            yield item
        token = page.next_page_token
        if not token:
            return
