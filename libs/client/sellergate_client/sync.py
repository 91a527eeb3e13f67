"""The client library without await, for programs that have no event loop: it runs one in a thread of its own.

>>> from sellergate_client.sync import SellingPartner
>>> with SellingPartner(account_id) as partner:  # doctest: +SKIP
...     print(partner.get("/sellers/v1/marketplaceParticipations").json())
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack

from sellergate_common.rpc.channel import DEFAULT_SECONDS

from sellergate_client import selling_partner
from sellergate_client.documents import STREAM_SECONDS, Kind, OnProgress
from sellergate_client.documents import Document as AsyncDocument
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.requests import CallOptions, Options, Query

_Result = TypeVar("_Result")


class _Loop:
    """An event loop in a thread. What is submitted has deadlines of its own; waiting for it needs none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sellergate", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return what `work` returns; leaving the wait (Ctrl-C) ends the work."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def each(self, items: AsyncIterator[_Result]) -> Iterator[_Result]:
        """Yield what an asynchronous iterator yields, and close it at the end."""
        missing = object()
        try:
            while (item := self.run(_next(items, missing))) is not missing:
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                self.run(items.aclose())

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(items: AsyncIterator[Any], missing: object) -> Any:
    return await anext(items, missing)


class Document:
    """A document on its way; see `sellergate_client.documents.Document`."""

    def __init__(self, loop: _Loop, document: AsyncDocument) -> None:
        self._loop = loop
        self.wrapped = document

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they come. Raises SellergateError."""
        return self._loop.each(aiter(self.wrapped))

    def read(self) -> bytes:
        """Return all of it. Raises SellergateError."""
        return self._loop.run(self.wrapped.read())

    def save(self, path: str | Path) -> int:
        """Write it to a file and return its size; the file has its name once it is whole. Raises SellergateError."""
        return self._loop.run(self.wrapped.save(path))


class SellingPartner:
    """SP-API for one stored account; each method as of `sellergate_client.SellingPartner`, without await."""

    def __init__(
        self,
        account_id: str,
        *,
        seconds: float = DEFAULT_SECONDS,
        hedge_after: float | None = None,
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
            finally:
                running.close()

    def get(self, path: str, params: Query | None = None, **options: Unpack[Options]) -> SpApiResponse:
        """Read."""
        return self._loop.run(self._partner.get(path, params, **options))

    def post(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Create."""
        return self._loop.run(self._partner.post(path, *unnamed, params=params, json=json, **options))

    def put(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Replace."""
        return self._loop.run(self._partner.put(path, *unnamed, params=params, json=json, **options))

    def patch(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Change."""
        return self._loop.run(self._partner.patch(path, *unnamed, params=params, json=json, **options))

    def delete(
        self, path: str, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Remove."""
        return self._loop.run(self._partner.delete(path, params, json, **options))

    def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> SpApiResponse:
        """Make one call."""
        return self._loop.run(self._partner.request(method, path, **options))

    def pages(
        self, path: str, params: Query | None = None, *, max_pages: int = 0, **options: Unpack[Options]
    ) -> Iterator[SpApiResponse]:
        """Yield page after page of a read."""
        return self._loop.each(self._partner.pages(path, params, max_pages=max_pages, **options))

    def report(
        self,
        report_type: str = "",
        *,
        marketplace_ids: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        resume: str = "",
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> Document:
        """Request a report and return it as a document; `on_progress` is called in another thread."""
        document = self._partner.report(
            report_type,
            marketplace_ids=marketplace_ids,
            options=options,
            start=start,
            end=end,
            resume=resume,
            on_progress=on_progress,
            seconds=seconds,
        )
        return Document(self._loop, document)

    def download(
        self,
        document_id: str,
        kind: Kind = "REPORT",
        *,
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> Document:
        """Return a document; `on_progress` is called in another thread."""
        document = self._partner.download(document_id, kind, on_progress=on_progress, seconds=seconds)
        return Document(self._loop, document)

    def upload(
        self,
        content: bytes | Path,
        content_type: str,
        *,
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> str:
        """Upload a document for a feed and return its feedDocumentId."""
        return self._loop.run(self._partner.upload(content, content_type, on_progress=on_progress, seconds=seconds))

    @property
    def _loop(self) -> _Loop:
        if self._running is None:
            raise RuntimeError("Enter the SellingPartner first: with SellingPartner(account_id) as partner.")
        return self._running
