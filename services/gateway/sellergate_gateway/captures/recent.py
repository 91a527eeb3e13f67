"""Recent calls of an account: while a capture of all its calls runs, each exchange is listed, without bodies."""

import re
from collections.abc import Sequence
from typing import Protocol

from sellergate_common.clock import Clock
from sellergate_common.errors import InvalidRequest, NotFound, Overloaded, PreconditionFailed, Reason, SellergateError

from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.service import LOOK_SECONDS, Capture, Captures, check_duration
from sellergate_gateway.model import Account

MOST_LISTED = 200
"""The most exchanges that are listed for an account; older ones are dropped."""
DEFAULT_SIZE = 50
MOST_RUNNING, MOST_OF_USER = 100, 10
"""The most captures of this kind that run at once: of all accounts, and of the accounts of one user."""
_POSITION = re.compile(r"[0-9]{1,18}-[0-9]{1,18}")


class RecentStore(Protocol):
    """A store of listed exchanges, which outlive their capture for a while."""

    def id_of(self, account_id: str) -> str:
        """Return the id of an account's listed capture."""

    async def find(self, capture_id: str) -> Capture | None:
        """Return a running capture, as any replica stored it. Raises Unavailable."""

    async def page(self, capture_id: str, before: str, limit: int) -> Sequence[tuple[str, Exchange]]:
        """Return at most `limit` exchanges with their positions, the newest first, beginning before a position; "": at the newest.

        Raises Unavailable.
        """


class Accounts(Protocol):
    """A source of accounts."""

    async def get(self, account_id: str) -> Account:
        """Return an account. Raises NotFound, Unavailable."""


class RecentCalls:
    """The recent calls of accounts. `user` restricts each method to that user's accounts; an empty `user` allows all accounts."""

    def __init__(self, captures: Captures, store: RecentStore, accounts: Accounts, clock: Clock) -> None:
        self._captures = captures
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def start(self, account_id: str, user: str, seconds: float) -> Capture:
        """List all calls of an account from now on, or move the end of the capture that does.

        Raises InvalidRequest, NotFound, PreconditionFailed, Overloaded, Unavailable.
        """
        check_duration(seconds)
        await self._check_owner(account_id, user)
        id_ = self._store.id_of(account_id)
        await self._check_room(id_, user)
        capture = Capture(id_, account_id, "", self._clock.wall() + LOOK_SECONDS + seconds)
        await self._captures.begin(capture, seconds)
        return capture

    async def end(self, account_id: str, user: str) -> None:
        """End the capture of an account, if one is running. Raises NotFound, Unavailable."""
        await self._check_owner(account_id, user)
        running = await self._store.find(self._store.id_of(account_id))
        if running is not None:
            await self._captures.end(running)

    async def running(self, account_id: str) -> Capture | None:
        """Return the capture that is running for an account. Raises Unavailable."""
        return await self._store.find(self._store.id_of(account_id))

    async def page(self, account_id: str, user: str, size: int, token: str) -> tuple[Sequence[Exchange], str]:
        """Return one page of exchanges, the newest first, and the token of the next. A token is the position of a page's last one.

        Raises InvalidRequest, NotFound, Unavailable.
        """
        if token and not _POSITION.fullmatch(token):
            raise InvalidRequest.of_field("page_token", "must be the next_page_token of the previous page")
        await self._check_owner(account_id, user)
        size = min(size or DEFAULT_SIZE, MOST_LISTED)
        found = await self._store.page(self._store.id_of(account_id), token, size + 1)
        page = found[:size]
        return [exchange for _, exchange in page], page[-1][0] if len(found) > size else ""

    async def _check_owner(self, account_id: str, user: str) -> None:
        account = await self._accounts.get(account_id)
        if user and account.user_id != user:
            raise NotFound.account(account_id)

    async def _check_room(self, id_: str, user: str) -> None:
        """Raise PreconditionFailed or Overloaded where too many other captures are running, as this replica has read them."""
        others = [one.account_id for one in self._captures.listed if one.id != id_]
        if len(others) >= MOST_RUNNING:
            words = f"{MOST_RUNNING} captures of calls are running; try again when one of them has ended."
            raise Overloaded(words, retry_after=60.0)
        if user and [await self._owner(one) for one in others].count(user) >= MOST_OF_USER:
            words = f"The calls of {MOST_OF_USER} of the user's accounts are being captured; end one of these captures first."
            raise PreconditionFailed(words, reason=Reason.USER_LIMIT_REACHED)

    async def _owner(self, account_id: str) -> str:
        """Return the user of an account; empty if that is unknown, as for one that was deleted."""
        try:
            return (await self._accounts.get(account_id)).user_id
        except SellergateError:
            return ""
