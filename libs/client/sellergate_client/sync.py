"""The client library without await, for programs without an event loop: it runs one in its own thread.

Several threads may use one client at the same time. A coroutine may use it too, but its event loop stands still during each
call, and the client warns of it (RuntimeWarning): use `sellergate_client.SellingPartner` there. In a notebook that is harmless.

In a process that was forked after its parent had opened a client, no client works: fork before, or start child processes with
the method "spawn" of multiprocessing.

>>> from sellergate_client.sync import SellingPartner
>>> with SellingPartner(account_id) as partner:  # doctest: +SKIP
...     print(partner.get("/sellers/v1/marketplaceParticipations").json())
"""

import asyncio
import inspect
import os
import threading
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack

from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import DEFAULT_SECONDS

from sellergate_client import sellergate, selling_partner
from sellergate_client.calls import DEFAULT_CONCURRENCY, Call, CallOutcome, Concurrency
from sellergate_client.documents.feeds import FEED_SECONDS, Feed
from sellergate_client.documents.rows import Types
from sellergate_client.documents.streams import STREAM_SECONDS, Kind, OnProgress, ReportOptions
from sellergate_client.documents.streams import Document as AsyncDocument
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.arguments import check_arguments, checked
from sellergate_client.rpc.kinds import Count, Seconds, Timeout
from sellergate_client.rpc.options import ListOptions, PartnerCallOptions, PartnerOptions, WriteOptions
from sellergate_client.rpc.ownership import ClientUseError, check_process, running_loop
from sellergate_client.rpc.query import Query

_Result = TypeVar("_Result")
_PACKAGE = str(Path(__file__).parent)


class _Loop:
    """An event loop in a thread. Submitted work has its own deadlines, so waiting for it needs none."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sellergate", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the result of `work`; an interrupted wait (Ctrl-C) cancels it.

        Warns where it blocks another event loop. Raises ClientUseError in a forked process, and in a callback that this loop
        runs: the wait would have no end.
        """
        return self._wait(work, blocks=running_loop() not in (None, self._loop))

    def make(self, make: Callable[[], _Result]) -> _Result:
        """Return what `make` returns in this loop, which does no work for it. Raises ClientUseError as `run`."""
        return self._wait(_made(make))

    def _wait(self, work: Coroutine[Any, Any, _Result], *, blocks: bool = False) -> _Result:
        try:
            self._check()
            if blocks:
                _warn_of_blocked_loop()
        except (ClientUseError, RuntimeWarning):
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _check(self) -> None:
        check_process(self._process)
        if threading.current_thread() is self._thread:
            raise ClientUseError(
                "on_progress is called by the client's own thread and cannot wait for a call; make the call outside of it."
            )

    def each(self, items: AsyncIterator[_Result]) -> Iterator[_Result]:
        """Yield the items of an asynchronous iterator, and close it at the end."""
        missing = object()
        try:
            while (item := self.run(_next(items, missing))) is not missing:
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                self.run(items.aclose())

    def close(self) -> None:
        """End the thread; a forked process has no copy of it."""
        if os.getpid() != self._process:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _warn_of_blocked_loop() -> None:
    """Warn at the program's line: its own event loop stands still until the client's has done the work."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        "A client of sellergate_client.sync blocks the event loop that runs here until its call has ended. Use"
        " sellergate_client.SellingPartner with await, or call from a thread (asyncio.to_thread).",
        RuntimeWarning,
        stacklevel=level,
    )


async def _next(items: AsyncIterator[Any], missing: object) -> Any:
    return await anext(items, missing)


async def _made(make: Callable[[], _Result]) -> _Result:
    """Return what `make` returns in the client's own event loop."""
    return make()


@checked
class Document:
    """A document that is being transferred; see `sellergate_client.documents.streams.Document`."""

    def __init__(self, loop: _Loop, document: AsyncDocument) -> None:
        self._loop = loop
        self.wrapped = document

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive. Raises SellergateError."""
        return self._loop.each(aiter(self.wrapped))

    def read(self) -> bytes:
        """Return the whole content. Raises SellergateError."""
        return self._loop.run(self.wrapped.read())

    def save(self, path: str | Path) -> int:
        """Write the content to a file and return its size in bytes; the file gets its name only when it is complete.

        Raises SellergateError, and OSError for a file that cannot be written.
        """
        return self._loop.run(self.wrapped.save(path))

    def rows(self, types: Types | None = None, *, charset: str = "") -> Iterator[dict[str, Any]]:
        """Yield the rows of a table as they arrive. Raises SellergateError; RowError for a row that cannot be read."""
        return self._loop.each(self.wrapped.rows(types, charset=charset))


@checked
class SellingPartner:
    """SP-API for one stored account; each method as of `sellergate_client.SellingPartner`, without await."""

    @check_arguments
    def __init__(
        self,
        account_id: str,
        *,
        seconds: Timeout = DEFAULT_SECONDS,
        hedge_after: Timeout | None = None,
        sandbox: bool | None = None,
    ) -> None:
        self.account_id = account_id
        self._partner = selling_partner.SellingPartner(
            account_id, seconds=seconds, hedge_after=hedge_after, sandbox=sandbox
        )
        self._running: _Loop | None = None

    def __enter__(self) -> Self:
        """Connect by the environment. Raises SettingsError."""
        self._running = _Loop()
        try:
            self._running.run(self._partner.__aenter__())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        running, self._running = self._running, None
        if running is not None:
            try:
                running.run(self._partner.__aexit__())
            except ClientUseError:
                return  # the connection is the parent process's
            finally:
                running.close()

    def get(self, path: str, params: Query | None = None, **options: Unpack[PartnerOptions]) -> SpApiResponse:
        """Read a resource, and return Amazon's response."""
        return self._loop.run(self._partner.get(path, params, **options))

    def post(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Create a resource, and return Amazon's response."""
        return self._loop.run(self._partner.post(path, *unnamed, params=params, json=json, **options))

    def put(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Replace a resource, and return Amazon's response."""
        return self._loop.run(self._partner.put(path, *unnamed, params=params, json=json, **options))

    def patch(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Change a resource, and return Amazon's response."""
        return self._loop.run(self._partner.patch(path, *unnamed, params=params, json=json, **options))

    def delete(
        self, path: str, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Remove a resource, and return Amazon's response."""
        return self._loop.run(self._partner.delete(path, params, json, **options))

    def request(self, method: str, path: str, **options: Unpack[PartnerCallOptions]) -> SpApiResponse:
        """Make one call, and return Amazon's response."""
        return self._loop.run(self._partner.request(method, path, **options))

    def call_operation(
        self, operation: str, path_params: Mapping[str, str] | None = None, **options: Unpack[PartnerCallOptions]
    ) -> SpApiResponse:
        """Make one call of an operation by its name, and return Amazon's response."""
        return self._loop.run(self._partner.call_operation(operation, path_params, **options))

    def pages(
        self,
        path: str,
        params: Query | None = None,
        *,
        max_pages: Count = 0,
        seconds: Timeout = STREAM_SECONDS,
        **options: Unpack[ListOptions],
    ) -> Iterator[SpApiResponse]:
        """Yield page after page of a read, `max_pages` at most (0: all), within `seconds` in all."""
        return self._loop.each(self._partner.pages(path, params, max_pages=max_pages, seconds=seconds, **options))

    def report(self, report_type: str = "", **wanted: Unpack[ReportOptions]) -> Document:
        """Return a report as a document; `on_progress` is called in another thread and must make no calls."""
        return Document(self._loop, self._loop.make(lambda: self._partner.report(report_type, **wanted)))

    def download(
        self,
        document_id: str,
        kind: Kind = "REPORT",
        *,
        on_progress: OnProgress | None = None,
        seconds: Timeout = STREAM_SECONDS,
    ) -> Document:
        """Return a document; `on_progress` is called in another thread and must make no calls."""
        make = partial(self._partner.download, document_id, kind, on_progress=on_progress, seconds=seconds)
        return Document(self._loop, self._loop.make(make))

    def upload(
        self,
        content: bytes | Path,
        content_type: str,
        *,
        on_progress: OnProgress | None = None,
        seconds: Timeout = STREAM_SECONDS,
    ) -> str:
        """Upload a document for a feed and return its feedDocumentId."""
        return self._loop.run(self._partner.upload(content, content_type, on_progress=on_progress, seconds=seconds))

    def feed(
        self,
        feed_type: str,
        content: bytes | Path,
        content_type: str = "",
        *,
        marketplace_ids: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        wait: bool = True,
        on_progress: OnProgress | None = None,
        seconds: Seconds = FEED_SECONDS,
    ) -> Feed:
        """Upload and submit a feed, wait until Amazon has ended it, and return it; check its `status`."""
        work = self._partner.feed(
            feed_type,
            content,
            content_type,
            marketplace_ids=marketplace_ids,
            options=options,
            wait=wait,
            on_progress=on_progress,
            seconds=seconds,
        )
        return self._loop.run(work)

    def wait_for_feed(
        self, feed_id: str, *, seconds: Seconds = FEED_SECONDS, on_progress: OnProgress | None = None
    ) -> Feed:
        """Wait until Amazon has ended a feed, and return it. Raises OutOfTime after `seconds`; Amazon continues."""
        return self._loop.run(self._partner.wait_for_feed(feed_id, seconds=seconds, on_progress=on_progress))

    def feed_result(self, feed: Feed) -> Document:
        """Return Amazon's processing report of a feed. Raises InvalidRequest where there is none."""
        return Document(self._loop, self._loop.make(partial(self._partner.feed_result, feed)))

    @property
    def _loop(self) -> _Loop:
        if self._running is None:
            raise RuntimeError("Enter the SellingPartner first: with SellingPartner(account_id) as partner.")
        return self._running


@checked
class Sellergate:
    """Calls for many stored accounts; see `sellergate_client.Sellergate`."""

    @check_arguments
    def __init__(
        self, gateway: str | None = None, account: str | None = None, identity: Identity | None = None
    ) -> None:
        self._stack = AsyncExitStack()
        self._given = gateway, account, identity
        self._opened: tuple[_Loop, sellergate.Sellergate] | None = None

    def __enter__(self) -> Self:
        """Connect; arguments that were left out are read from the environment. Raises SettingsError."""
        loop = _Loop()
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

    def calls(self, calls: Iterable[Call], *, concurrency: Concurrency = DEFAULT_CONCURRENCY) -> Iterator[CallOutcome]:
        """Make many calls over one stream, `concurrency` at once (256 at most), and yield the outcome of each as it ends.

        `calls` is iterated over in the caller's thread, when there is room for a further call.
        """
        if self._opened is None:
            raise RuntimeError("Enter the Sellergate first: with Sellergate() as sellergate.")
        loop, client = self._opened
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
