"""One seller's SP-API: the short way for a program that works on accounts one by one."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from pathlib import Path
from typing import Any, Self, Unpack, cast

from sellergate_common.rpc.channel import DEFAULT_SECONDS

from sellergate_client.documents import STREAM_SECONDS, Document, Kind, OnProgress
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.requests import CallOptions, Options, Query, call_request, refuse_unnamed
from sellergate_client.sellergate import Sellergate


class SellingPartner:
    """SP-API for one stored account, asynchronously; `sellergate_client.sync` has the same without await.

    Without `sellergate` it connects by the environment (ClientSettings). `seconds` bound each call, `hedge_after` makes a read
    that is slow at another replica too. Everything raises SellergateError by class, as the package names them.

    >>> async with SellingPartner(account_id) as partner:  # doctest: +SKIP
    ...     week = {"createdAfter": "2026-11-16T00:00:00Z", "marketplaceIds": ["ATVPDKIKX0DER"]}
    ...     async for page in partner.pages("/orders/2026-01-01/orders", week):
    ...         print(page.json()["orders"])
    ...     await partner.report("GET_MERCHANT_LISTINGS_ALL_DATA").save("listings.txt")
    """

    def __init__(
        self,
        account_id: str,
        *,
        sellergate: Sellergate | None = None,
        seconds: float = DEFAULT_SECONDS,
        hedge_after: float | None = None,
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
        """Close what was opened here."""
        self._connected = self._given
        await self._stack.aclose()

    async def get(self, path: str, params: Query | None = None, **options: Unpack[Options]) -> SpApiResponse:
        """Read. `path` is percent-encoded, `params` are not; a list of values becomes comma-separated."""
        return await self.request("GET", path, query=params, **options)

    async def post(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Create. `json` is the body, `params` the query; both must be named.

        A write whose outcome is unknown raises OutcomeUnknown and is never repeated. Raises TypeError for an unnamed argument.
        """
        refuse_unnamed("post", unnamed)
        return await self.request("POST", path, query=params, json=json, **options)

    async def put(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Replace. Arguments and errors as of `post`."""
        refuse_unnamed("put", unnamed)
        return await self.request("PUT", path, query=params, json=json, **options)

    async def patch(
        self, path: str, *unnamed: Any, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Change. Arguments and errors as of `post`."""
        refuse_unnamed("patch", unnamed)
        return await self.request("PATCH", path, query=params, json=json, **options)

    async def delete(
        self, path: str, params: Query | None = None, json: Any = None, **options: Unpack[Options]
    ) -> SpApiResponse:
        """Remove."""
        return await self.request("DELETE", path, query=params, json=json, **options)

    async def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> SpApiResponse:
        """Make one call; see CallOptions for all that it takes."""
        return await self._sellergate.call(
            self.account_id,
            method,
            path,
            seconds=self._seconds,
            hedge_after=self._hedge_after,
            **self._with_sandbox(options),
        )

    async def pages(
        self, path: str, params: Query | None = None, *, max_pages: int = 0, **options: Unpack[Options]
    ) -> AsyncGenerator[SpApiResponse]:
        """Yield page after page of a read, by the rule of its operation and within quota; 0 pages: all."""
        given = cast("CallOptions", {**options, "query": params})
        call = call_request(self.account_id, "GET", path, self._with_sandbox(given))
        async with aclosing(self._sellergate.documents.pages(call, max_pages=max_pages)) as pages:
            async for page in pages:
                yield page

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
        """Request a report and return it as a document, to be iterated over, read or saved; that waits until Amazon has made it.

        `resume` goes on with a report that was requested before.
        """
        return self._sellergate.documents.report(
            self.account_id,
            report_type,
            marketplace_ids=marketplace_ids,
            options=options,
            start=start,
            end=end,
            resume=resume,
            on_progress=on_progress,
            seconds=seconds,
        )

    def download(
        self,
        document_id: str,
        kind: Kind = "REPORT",
        *,
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> Document:
        """Return a document of Reports, Feeds or Data Kiosk, to be iterated over, read or saved."""
        return self._sellergate.documents.download(
            self.account_id, document_id, kind, on_progress=on_progress, seconds=seconds
        )

    async def upload(
        self,
        content: bytes | Path | AsyncIterable[bytes],
        content_type: str,
        *,
        size: int = 0,
        on_progress: OnProgress | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> str:
        """Upload a document for a feed and return its feedDocumentId; a stream of more than 16 MiB must tell its `size`."""
        return await self._sellergate.documents.upload(
            self.account_id, content, content_type, size=size, on_progress=on_progress, seconds=seconds
        )

    @property
    def _sellergate(self) -> Sellergate:
        if self._connected is None:
            raise RuntimeError("Enter the SellingPartner first: async with SellingPartner(account_id) as partner.")
        return self._connected

    def _with_sandbox(self, options: CallOptions) -> CallOptions:
        return options if self._sandbox is None else {"sandbox": self._sandbox, **options}
