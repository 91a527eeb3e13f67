"""A client of one seller's SP-API."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, Self, Unpack, cast

from sellergate_common.rpc.channel import DEFAULT_SECONDS

from sellergate_client.documents.feeds import FEED_SECONDS, Feed
from sellergate_client.documents.streams import STREAM_SECONDS, Document, Kind, OnProgress, ReportOptions
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.arguments import check_arguments, checked
from sellergate_client.rpc.kinds import Count, Seconds, Timeout
from sellergate_client.rpc.options import (
    CallOptions,
    ListOptions,
    PartnerCallOptions,
    PartnerOptions,
    WriteOptions,
    refuse_unnamed,
)
from sellergate_client.rpc.query import Query
from sellergate_client.rpc.requests import call_request
from sellergate_client.sellergate import Sellergate


@checked
class SellingPartner:
    """SP-API for one stored account, asynchronously; `sellergate_client.sync` has the same without await.

    Without `sellergate` it connects by the environment (ClientSettings). `seconds` bound each call; a read that has no response
    after `hedge_after` seconds is made at another replica too; `sandbox` calls the sandbox or production, by default
    the account's environment. Every method raises SellergateError, TypeError for an option that does not exist or has a
    wrong type, and ClientUseError
    in another event loop or process than the one in which the client was opened.

    >>> async with SellingPartner(account_id) as partner:  # doctest: +SKIP
    ...     week = {"createdAfter": "2026-11-16T00:00:00Z", "marketplaceIds": ["ATVPDKIKX0DER"]}
    ...     async for page in partner.pages("/orders/2026-01-01/orders", week):
    ...         print(page.json()["orders"])
    ...     await partner.report("GET_MERCHANT_LISTINGS_ALL_DATA").save("listings.txt")
    """

    @check_arguments
    def __init__(
        self,
        account_id: str,
        *,
        sellergate: Sellergate | None = None,
        seconds: Timeout = DEFAULT_SECONDS,
        hedge_after: Timeout | None = None,
        sandbox: bool | None = None,
    ) -> None:
        self.account_id = account_id
        self._given = sellergate
        self._seconds = seconds
        self._hedge_after = hedge_after
        self._sandbox = sandbox
        self._stack = AsyncExitStack()
        self._connected: Sellergate | None = sellergate

    async def __aenter__(self) -> Self:
        """Connect, unless a client was given. Raises SettingsError."""
        if self._given is None:
            self._connected = await self._stack.enter_async_context(Sellergate.connect())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection, unless a client was given."""
        self._connected = self._given
        await self._stack.aclose()

    async def get(self, path: str, params: Query | None = None, **options: Unpack[PartnerOptions]) -> SpApiResponse:
        """Read a resource, and return Amazon's response. `path` is percent-encoded and holds no query.

        `params` are the query and become text by the rule of `sellergate_client.rpc.query`.
        """
        return await self.request("GET", path, query=params, **options)

    async def post(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Create a resource, and return Amazon's response. `json` is the body, `params` the query; both must be named.

        A write whose outcome is unknown raises OutcomeUnknown and is never repeated. Raises TypeError for an unnamed argument, and
        InvalidRequest for a document that JSON cannot hold; nothing is sent then.
        """
        refuse_unnamed("post", unnamed)
        return await self.request("POST", path, query=params, json=json, **options)

    async def put(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Replace a resource. Arguments and errors as of `post`."""
        refuse_unnamed("put", unnamed)
        return await self.request("PUT", path, query=params, json=json, **options)

    async def patch(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Change a resource. Arguments and errors as of `post`."""
        refuse_unnamed("patch", unnamed)
        return await self.request("PATCH", path, query=params, json=json, **options)

    async def delete(
        self, path: str, params: Query | None = None, json: Any = None, **options: Unpack[WriteOptions]
    ) -> SpApiResponse:
        """Remove a resource. Arguments as of `get`, and a body for the few operations that have one."""
        return await self.request("DELETE", path, query=params, json=json, **options)

    async def request(self, method: str, path: str, **options: Unpack[PartnerCallOptions]) -> SpApiResponse:
        """Make one call, and return Amazon's response; PartnerCallOptions describes all options."""
        seconds, call = self._bounded(options)
        return await self._sellergate.call(
            self.account_id, method, path, seconds=seconds, hedge_after=self._hedge_after, **call
        )

    async def call_operation(
        self, operation: str, path_params: Mapping[str, str] | None = None, **options: Unpack[PartnerCallOptions]
    ) -> SpApiResponse:
        """Make one call of an operation by its name, as in `call_operation("getOrder", {"orderId": "902-…"})`.

        The name is api/version/operationId, or the operationId where only one API has it; `path_params` are not encoded. Raises
        NotFound for an unknown operation.
        """
        seconds, call = self._bounded(options)
        return await self._sellergate.call_operation(
            self.account_id, operation, path_params, seconds=seconds, hedge_after=self._hedge_after, **call
        )

    async def pages(
        self,
        path: str,
        params: Query | None = None,
        *,
        max_pages: Count = 0,
        seconds: Timeout = STREAM_SECONDS,
        **options: Unpack[ListOptions],
    ) -> AsyncGenerator[SpApiResponse]:
        """Yield the pages of a read one by one, by the paging rule of its operation and within quota, `max_pages` at most.

        0 means all pages. `seconds` bound all of them together. A list that cannot be read to its end never ends
        silently: repeated page tokens, or 10,000 pages without `max_pages`, raise Unavailable.
        """
        given = cast("CallOptions", {**options, "query": params})
        call = call_request(self.account_id, "GET", path, self._with_sandbox(given))
        documents = self._sellergate.documents
        async with aclosing(documents.pages(call, max_pages=max_pages, seconds=seconds)) as pages:
            async for page in pages:
                yield page

    def report(self, report_type: str = "", **wanted: Unpack[ReportOptions]) -> Document:
        """Return a report as a document, to be iterated over, read, saved or read in rows; reading waits until Amazon has made it.

        ReportOptions describes all options.
        """
        return self._sellergate.documents.report(self.account_id, report_type, **wanted)

    def download(
        self,
        document_id: str,
        kind: Kind = "REPORT",
        *,
        on_progress: OnProgress | None = None,
        seconds: Timeout = STREAM_SECONDS,
    ) -> Document:
        """Return a document of Reports, Feeds or Data Kiosk, to be iterated over, read, saved or read in rows."""
        return self._sellergate.documents.download(
            self.account_id, document_id, kind, on_progress=on_progress, seconds=seconds
        )

    async def upload(
        self,
        content: bytes | Path | AsyncIterable[bytes],
        content_type: str,
        *,
        size: Count = 0,
        on_progress: OnProgress | None = None,
        seconds: Timeout = STREAM_SECONDS,
    ) -> str:
        """Upload a document for a feed and return its feedDocumentId; an iterable of more than 16 MiB needs its `size` in bytes."""
        return await self._sellergate.documents.upload(
            self.account_id, content, content_type, size=size, on_progress=on_progress, seconds=seconds
        )

    async def feed(
        self,
        feed_type: str,
        content: bytes | Path | AsyncIterable[bytes],
        content_type: str = "",
        *,
        marketplace_ids: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        size: Count = 0,
        wait: bool = True,
        on_progress: OnProgress | None = None,
        seconds: Seconds = FEED_SECONDS,
    ) -> Feed:
        """Upload and submit a feed, wait until Amazon has ended it, and return it; check its `status`.

        `content_type` is needed unless `content` is a file whose name shows it. `marketplace_ids`: by default the home marketplace.
        `options` are Amazon's feedOptions. With `wait=False` the feed is returned right after its creation. Raises OutOfTime
        with `feed_id` in its metadata when Amazon takes longer than `seconds`; `wait_for_feed` waits again.
        """
        feeds = self._sellergate.feeds
        feed_id = await feeds.submit(
            self.account_id,
            feed_type,
            content,
            content_type,
            marketplace_ids=marketplace_ids,
            options=options,
            size=size,
            on_progress=on_progress,
        )
        if not wait:
            return Feed(feed_id, "IN_QUEUE", "")
        return await self.wait_for_feed(feed_id, seconds=seconds, on_progress=on_progress)

    async def wait_for_feed(
        self, feed_id: str, *, seconds: Seconds = FEED_SECONDS, on_progress: OnProgress | None = None
    ) -> Feed:
        """Wait until Amazon has ended a feed, and return it. Raises OutOfTime after `seconds`; Amazon continues."""
        return await self._sellergate.feeds.wait(self.account_id, feed_id, seconds=seconds, on_progress=on_progress)

    def feed_result(self, feed: Feed) -> Document:
        """Return Amazon's processing report of a feed. Raises InvalidRequest where there is none."""
        return self._sellergate.feeds.result(self.account_id, feed)

    @property
    def _sellergate(self) -> Sellergate:
        if self._connected is None:
            raise RuntimeError("Enter the SellingPartner first: async with SellingPartner(account_id) as partner.")
        return self._connected

    def _bounded(self, options: PartnerCallOptions) -> tuple[float, CallOptions]:
        """Return the seconds of a call, and its other options."""
        call = {name: value for name, value in options.items() if name != "seconds"}
        return options.get("seconds", self._seconds), self._with_sandbox(cast("CallOptions", call))

    def _with_sandbox(self, options: CallOptions) -> CallOptions:
        return options if self._sandbox is None else {"sandbox": self._sandbox, **options}
