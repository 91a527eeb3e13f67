"""Feeds: a document uploaded, submitted, and processed by Amazon."""

import asyncio
import mimetypes
import time
from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sellergate_amazon.marketplaces import marketplace_by_code
from sellergate_common.errors import InvalidRequest, OutcomeUnknown, OutOfTime, Reason, Unavailable

from sellergate_client.documents.streams import Document, OnProgress, Progress
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.kinds import Count, Seconds

if TYPE_CHECKING:
    from sellergate_client.sellergate import Sellergate

FEED_SECONDS = 1800.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
_PATH = "/feeds/2021-06-30/feeds"
_ENDS = frozenset({"DONE", "CANCELLED", "FATAL"})
_TEXTS = frozenset({"application/json", "application/xml"})


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed at Amazon: `status` is its processingStatus; `result_document_id` is empty without a processing report."""

    feed_id: str
    status: str
    result_document_id: str


class _UnreadableState(Unavailable):
    """A response to a poll that names no state, which says nothing about the feed."""


@checked
class Feeds:
    """Feeds 2021-06-30, through an open client. Every method raises SellergateError."""

    def __init__(self, sellergate: "Sellergate") -> None:
        self._sellergate = sellergate

    async def submit(
        self,
        account_id: str,
        feed_type: str,
        content: bytes | Path | AsyncIterable[bytes],
        content_type: str = "",
        *,
        marketplace_ids: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        size: Count = 0,
        on_progress: OnProgress | None = None,
    ) -> str:
        """Upload a document, create a feed of it, and return the feed's id.

        `content_type` is needed unless `content` is a file whose name shows it. `marketplace_ids`: by default the account's home
        marketplace, since most types take one. `options` are Amazon's feedOptions. A feed that may have been created raises
        OutcomeUnknown and is not created again.
        """
        if isinstance(marketplace_ids, str):
            raise InvalidRequest.of_field("marketplace_ids", "must be a list of marketplace ids, not one text")
        kind = content_type or content_type_of(content)
        ids = list(marketplace_ids) or [await self._home(account_id)]
        document_id = await self._sellergate.documents.upload(
            account_id, content, kind, size=size, on_progress=on_progress
        )
        wanted: dict[str, Any] = {"feedType": feed_type, "marketplaceIds": ids, "inputFeedDocumentId": document_id}
        if options:
            wanted["feedOptions"] = dict(options)
        response = await self._sellergate.call(account_id, "POST", _PATH, json=wanted)
        try:
            return _text(response, "feedId")
        except ValueError:
            raise OutcomeUnknown(
                "Amazon's response to createFeed cannot be read, and Amazon may have created the feed. Check the account's feeds"
                " before you submit it again.",
                reason=Reason.AMAZON_OUTCOME_UNKNOWN,
            ) from None

    async def get(self, account_id: str, feed_id: str) -> Feed:
        """Return a feed in its present state."""
        response = await self._sellergate.call(account_id, "GET", f"{_PATH}/{quote(feed_id, safe='')}")
        try:
            status = _text(response, "processingStatus")
        except ValueError:
            raise _UnreadableState(
                f"Amazon's response about the feed {feed_id} cannot be read. Try again.",
                reason=Reason.AMAZON_UNAVAILABLE,
                metadata={"feed_id": feed_id},
            ) from None
        return Feed(feed_id, status, str(response.json().get("resultFeedDocumentId") or ""))

    async def wait(
        self,
        account_id: str,
        feed_id: str,
        *,
        seconds: Seconds = FEED_SECONDS,
        on_progress: OnProgress | None = None,
    ) -> Feed:
        """Wait until Amazon has ended a feed (DONE, CANCELLED or FATAL), and return it.

        Raises OutOfTime after `seconds`: Amazon continues, and the caller may wait again.
        """
        end, pause = time.monotonic() + seconds, FIRST_PAUSE_SECONDS
        feed = Feed(feed_id, "unknown", "")
        while True:
            with suppress(_UnreadableState):
                feed = await self.get(account_id, feed_id)
            if on_progress is not None:
                on_progress(Progress(feed_id, feed.status, 0))
            if feed.status in _ENDS:
                return feed
            if time.monotonic() + pause >= end:
                raise OutOfTime(
                    f"Amazon has not ended the feed {feed_id} within {seconds:.0f} seconds; its status is {feed.status}."
                    " Amazon continues to process it: wait for it again.",
                    metadata={"feed_id": feed_id, "processing_status": feed.status},
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def result(self, account_id: str, feed: Feed, *, on_progress: OnProgress | None = None) -> Document:
        """Return Amazon's processing report of a feed. Raises InvalidRequest where there is none."""
        if not feed.result_document_id:
            raise InvalidRequest.of_field("feed", f"has no processing report; its status is {feed.status}")
        return self._sellergate.documents.download(account_id, feed.result_document_id, "FEED", on_progress=on_progress)

    async def _home(self, account_id: str) -> str:
        account = await self._sellergate.accounts.get(account_id)
        home = marketplace_by_code(account.marketplace)
        if home is None:
            raise InvalidRequest.of_field(
                "marketplace_ids", "must be given, because the account has no home marketplace"
            )
        return home.id


def content_type_of(content: bytes | Path | AsyncIterable[bytes]) -> str:
    """Return the content type of a file by its name, with a charset for text. Raises InvalidRequest for other content."""
    if not isinstance(content, Path):
        raise InvalidRequest.of_field("content_type", "must be given unless the content is a file")
    kind = mimetypes.guess_type(content.name)[0] or "text/plain"
    is_text = kind.startswith("text/") or kind in _TEXTS
    return f"{kind}; charset=UTF-8" if is_text else kind


def _text(response: SpApiResponse, name: str) -> str:
    """Return a text of a JSON object. Raises ValueError for a response that does not hold it."""
    document = response.json()
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        raise ValueError(f"it holds no {name}")
    return value
