"""SP-API for one stored account, without await."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

from sellergate_common.rpc.channel import DEFAULT_SECONDS

from sellergate_client import selling_partner
from sellergate_client.documents.feeds import FEED_SECONDS, Feed
from sellergate_client.documents.rows import Types
from sellergate_client.documents.streams import STREAM_SECONDS, Kind, OnProgress, ReportOptions
from sellergate_client.documents.streams import Document as AsyncDocument
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.arguments import check_arguments, checked
from sellergate_client.rpc.kinds import Count, Seconds, Timeout
from sellergate_client.rpc.options import ListOptions, PartnerCallOptions, PartnerOptions, WriteOptions
from sellergate_client.rpc.ownership import ClientUseError
from sellergate_client.rpc.query import Query
from sellergate_client.sync.loops import EventLoop


@checked
class Document:
    """A document that is being transferred; see `sellergate_client.documents.streams.Document`."""

    def __init__(self, loop: EventLoop, document: AsyncDocument) -> None:
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
        self._running: EventLoop | None = None

    def __enter__(self) -> Self:
        """Connect by the environment. Raises SettingsError."""
        self._running = EventLoop()
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
    def _loop(self) -> EventLoop:
        if self._running is None:
            raise RuntimeError("Enter the SellingPartner first: with SellingPartner(account_id) as partner.")
        return self._running
