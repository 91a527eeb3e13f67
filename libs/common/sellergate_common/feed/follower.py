"""The background task that requests changes once a second and passes them on to the copies of this process."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

from sellergate_common.clock import Clock
from sellergate_common.errors import SellergateError
from sellergate_common.feed.ports import ChangePage, ChangeSource, CopyHolder
from sellergate_common.feed.trust import Trust
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import BackgroundTasks

POLL_SECONDS = 1.0
# Three requests that fail one after the other fit into the time for which copies are trusted.
PATIENCE_SECONDS = 1.5
_FIRST = "no response yet"


class ChangeFollower:
    """A process that follows the changes of `source`; `holders` are the holders of copies by kind of row.

    While requests fail, `trust` runs out: each copy then lives as long as it would without a feed. The cursor is kept meanwhile, so
    that the first response holds whatever was missed.
    """

    def __init__(
        self, source: ChangeSource, holders: Mapping[str, Sequence[CopyHolder]], trust: Trust, clock: Clock
    ) -> None:
        self._source = source
        self._holders = holders
        self._trust = trust
        self._clock = clock
        self._cursor = ""
        self._failure = _FIRST

    @asynccontextmanager
    async def following(self, name: str, background: BackgroundTasks) -> AsyncIterator[None]:
        """Follow the changes while the body runs, as the background task `name`; the condition `<name>_known` shows an outage."""
        background.watch(f"{name}_known", self.problem)
        async with background.run(name, self.follow):
            yield

    def problem(self) -> str:
        """Return why copies are not trusted at present; an empty text while they are."""
        if self._clock.monotonic() < self._trust.until:
            return ""
        return f"changes unknown ({self._failure}): each copy lives for a few seconds only"

    async def follow(self) -> NoReturn:
        """Ask for changes once a second."""
        while True:
            began = self._clock.monotonic()
            await self.poll()
            await self._clock.sleep(max(0.0, began + POLL_SECONDS - self._clock.monotonic()))

    async def poll(self) -> None:
        """Ask for changes once and pass them on. A failure is logged when it is the first."""
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                page = await self._source.read(self._cursor)
        except (SellergateError, TimeoutError) as error:
            failure = error.reason if isinstance(error, SellergateError) else type(error).__name__
            if self._failure in ("", _FIRST):
                get_logger().warning("changes_unknown", cause=failure)
            self._failure = failure
            return
        # No await from here on: no call sees copies of which a part was given the changes.
        self._pass_on(page)
        self._cursor = page.cursor
        self._trust.renew(began)
        if self._failure:
            self._failure = ""
            get_logger().info("changes_known")

    def _pass_on(self, page: ChangePage) -> None:
        if page.forgets_all:
            for holder in {id(one): one for group in self._holders.values() for one in group}.values():
                holder.forget_all()
        for change in page.changes:
            for holder in self._holders.get(change.kind, ()):
                holder.drop_older(change.id, change.version)
