"""Values of other services that calls need: from this process's memory, the shared Redis, or the service that owns them.

After the renewal time the owner is called, so that it renews a value while it is still valid. If the owner does not respond, the
present value is used until shortly before its end.
"""

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from sellergate_common.cache.entries import Expiring, copy_seconds, is_acceptable, limit_ttl, renewal_time
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.errors import OutOfTime, Unavailable
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.observability.logs import get_logger

from sellergate_gateway.credentials.refusals import Drop, Fetch, OwnedValue, Refusals
from sellergate_gateway.model import Account

_Value = TypeVar("_Value", bound=Expiring)
# If an owner returns a value of an older revision than the caller's, it is called once more: the change may be on its way.
_ATTEMPTS = 2


class ReadThroughCache(Generic[_Value]):
    """A cache of values by account and revision: after a change of credentials no old value is found.

    `mark` identifies a value. One that Amazon refused is not used again for a minute: an owner that cannot be reached cannot drop
    it in Redis, and one that cannot reach Redis may return it. `owner` is the name of the owner's service.
    """

    def __init__(
        self,
        entries: SealedCache,
        memory: TtlCache[tuple[int, _Value]],
        decode: Callable[[str], _Value],
        mark: Callable[[_Value], str],
        owner: str,
        now: Callable[[], float],
    ) -> None:
        self._entries = entries
        self._memory = memory
        self._decode = decode
        self._mark = mark
        self._now = now
        self._refusals = Refusals(mark, owner, now)
        self._flight: LocalFlight[_Value] = LocalFlight(
            late=f"The {owner} service did not respond before the deadline; repeat the call, which may find its response."
        )

    async def get(
        self, account: Account, name: Callable[[], str], fetch_from_owner: Fetch[_Value], drop: Drop[_Value]
    ) -> _Value:
        """Return a value of an account's revision or a later one. `name` is its entry in Redis, `fetch_from_owner` calls the owner.

        `drop` is for a refused value that the owner still returns. Raises what `fetch_from_owner` raises, and Unavailable.
        """
        held = self._memory.get(account.account_id)
        if held is not None and held[0] >= account.revision:
            return held[1]
        fetch = partial(self._fetch, account, name, fetch_from_owner, drop)
        return await self._flight.get(f"{account.account_id}/{account.revision}", fetch)

    def forget(self, account: Account, value: _Value) -> None:
        """Drop a value that Amazon refused, if it is the cached one."""
        held = self._memory.get(account.account_id)
        self._refusals.record(account.account_id, value)
        if held is not None and self._mark(held[1]) == self._mark(value):
            self._memory.forget(account.account_id)

    def has_other(self, account: Account, value: _Value) -> bool:
        """Return whether another value is cached already."""
        held = self._memory.get(account.account_id)
        return held is not None and self._mark(held[1]) != self._mark(value)

    async def _fetch(
        self, account: Account, name: Callable[[], str], fetch_from_owner: Fetch[_Value], drop: Drop[_Value]
    ) -> _Value:
        # The names of entries in Redis contain the revision.
        value, revision = await self._shared(name()), account.revision
        if value is not None and self._refusals.contains(account.account_id, value):
            value = None
        if value is None or self._now() >= renewal_time(value, 1.0):
            try:
                fetch = partial(_fetch_revision, account, fetch_from_owner)
                owning = await self._refusals.fetch(account.account_id, fetch, drop)
                value = owning.value if owning.left is None else limit_ttl(owning.value, owning.left, self._now())
                revision = owning.revision
            except (Unavailable, OutOfTime) as error:
                if value is None or not is_acceptable(value, self._now()):
                    raise
                get_logger().warning("owner_unavailable", reason=error.reason)
        self._remember(account.account_id, revision, value)
        return value

    def _remember(self, account_id: str, revision: int, value: _Value) -> None:
        """Cache a value under its own revision, since the owner may have a later one; without a revision it is not cached.

        A value of a newer revision stays: a fetch for an older one may end after the change.
        """
        seconds, held = copy_seconds(value, self._now()), self._memory.get(account_id)
        if seconds > 0 and revision and (held is None or held[0] <= revision):
            self._memory.put(account_id, (revision, value), seconds)

    async def _shared(self, name: str) -> _Value | None:
        opened = await self._entries.get_living(name)
        if opened is None:
            return None
        sealed, left = opened
        try:
            value = limit_ttl(self._decode(sealed.get_secret_value()), left, self._now())
        except (ValueError, TypeError, KeyError):  # an entry in another release's form counts as none
            return None
        return value if is_acceptable(value, self._now()) else None


async def _fetch_revision(account: Account, fetch: Fetch[_Value]) -> OwnedValue[_Value]:
    """Return the owner's value, of the account's revision or a later one. Raises Unavailable and its errors."""
    for _ in range(_ATTEMPTS):
        found = await fetch()
        if found.revision >= account.revision or not found.revision:
            return found
    raise Unavailable(
        "The account was changed, and not every service has its new credentials yet. Try again.", retry_after=1.0
    )
