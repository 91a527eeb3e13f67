"""Calls for many stored accounts, and their list, without await."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from itertools import islice
from typing import Self

from sellergate_common.identity.tls import Identity

from sellergate_client import sellergate
from sellergate_client.calls import DEFAULT_CONCURRENCY, Call, CallOutcome, Concurrency
from sellergate_client.rpc.arguments import check_arguments, checked
from sellergate_client.rpc.ownership import ClientUseError
from sellergate_client.sync.accounts import Accounts
from sellergate_client.sync.loops import EventLoop


@checked
class Sellergate:
    """Calls for many stored accounts; see `sellergate_client.Sellergate`."""

    @check_arguments
    def __init__(
        self, gateway: str | None = None, account: str | None = None, identity: Identity | None = None
    ) -> None:
        self._stack = AsyncExitStack()
        self._given = gateway, account, identity
        self._opened: tuple[EventLoop, sellergate.Sellergate] | None = None

    def __enter__(self) -> Self:
        """Connect; arguments that were left out are read from the environment. Raises SettingsError."""
        loop = EventLoop()
        try:
            opening = self._stack.enter_async_context(sellergate.Sellergate.connect(*self._given))
            self._opened = loop, loop.run(opening)
        except BaseException:
            loop.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        opened, self._opened = self._opened, None
        if opened is not None:
            try:
                opened[0].run(self._stack.aclose())
            except ClientUseError:
                return  # the connection is the parent process's
            finally:
                opened[0].close()

    @property
    def accounts(self) -> Accounts:
        """The stored accounts of sellers."""
        loop, client = self._running
        return Accounts(loop, loop.make(lambda: client.accounts))

    def calls(self, calls: Iterable[Call], *, concurrency: Concurrency = DEFAULT_CONCURRENCY) -> Iterator[CallOutcome]:
        """Make many calls over one stream, `concurrency` at once (256 at most), and yield the outcome of each as it ends.

        `calls` is iterated over in the caller's thread, when there is room for a further call.
        """
        loop, client = self._running
        feed, source = _Feed(), iter(calls)
        outcomes = loop.make(partial(client.calls, feed, concurrency=concurrency))
        in_progress, ended = 0, False
        try:
            while True:
                taken = [] if ended else list(islice(source, concurrency - in_progress))
                in_progress += len(taken)
                ended = ended or in_progress < concurrency
                if not in_progress:
                    return
                yield loop.run(feed.exchange(taken, outcomes))
                in_progress -= 1
        finally:
            loop.run(feed.close(outcomes))

    @property
    def _running(self) -> tuple[EventLoop, sellergate.Sellergate]:
        if self._opened is None:
            raise RuntimeError("Enter the Sellergate first: with Sellergate() as sellergate.")
        return self._opened


class _Feed:
    """The calls that a caller's thread has given to the client's event loop."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[Call | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncGenerator[Call]:
        while (call := await self._calls.get()) is not None:
            yield call

    async def exchange(self, calls: list[Call], outcomes: AsyncGenerator[CallOutcome]) -> CallOutcome:
        """Give calls and return the next outcome."""
        for call in calls:
            self._calls.put_nowait(call)
        return await anext(outcomes)

    async def close(self, outcomes: AsyncGenerator[CallOutcome]) -> None:
        """End the run; calls in progress are cancelled."""
        self._calls.put_nowait(None)
        await outcomes.aclose()
