"""Values of other services that calls need: from this process's memory, the shared Redis, or the service that owns them.

After the renewal time the owner is called, so that it renews a value while it is still valid. If the owner does not respond, the
present value is used until shortly before its end.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from sellergate_common.cache.entries import (
    COOL_OFF_SECONDS,
    Expiring,
    copy_seconds,
    is_acceptable,
    limit_ttl,
    renewal_time,
)
from sellergate_common.cache.lru import Lru, TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.errors import OutOfTime, Unavailable
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.observability.logs import get_logger

from sellergate_gateway.model import Account

_Value = TypeVar("_Value", bound=Expiring)


_SIZE = 10_000
# If an owner returns a value of an older revision than the caller's, or one that Amazon refused, it is called once more: the call
# that changes or drops the value may be on its way.
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class OwnedValue(Generic[_Value]):
    """A value from its owner. `revision` is the account's, 0 if the owner names none.

    `left` is the remaining lifetime in seconds by the owner's clock; None if the owner names none.
    """

    value: _Value
    revision: int
    left: float | None


class ReadThroughCache(Generic[_Value]):
    """A cache of values by account and revision: after a change of credentials no old value is found.

    `mark` identifies a value. One that Amazon refused is not taken from Redis again for a minute: an owner that cannot be reached
    cannot drop it there.
    """

    def __init__(
        self,
        entries: SealedCache,
        memory: TtlCache[tuple[int, _Value]],
        decode: Callable[[str], _Value],
        mark: Callable[[_Value], str],
        now: Callable[[], float],
    ) -> None:
        self._entries = entries
        self._memory = memory
        self._decode = decode
        self._mark = mark
        self._now = now
        self._refused: Lru[str, tuple[str, float]] = Lru(_SIZE)
        self._flight: LocalFlight[_Value] = LocalFlight()

    async def get(
        self, account: Account, name: Callable[[], str], fetch_from_owner: Callable[[], Awaitable[OwnedValue[_Value]]]
    ) -> _Value:
        """Return a value of an account's revision or a later one. `name` is its entry in Redis, `fetch_from_owner` calls the owner.

        Raises what `fetch_from_owner` raises.
        """
        held = self._memory.get(account.account_id)
        if held is not None and held[0] >= account.revision:
            return held[1]
        fetch = partial(self._fetch, account, name, fetch_from_owner)
        return await self._flight.get(f"{account.account_id}/{account.revision}", fetch)

    def forget(self, account: Account, value: _Value) -> None:
        """Drop a value that Amazon refused, if it is the cached one."""
        mark, held = self._mark(value), self._memory.get(account.account_id)
        self._refused.put(account.account_id, (mark, self._now() + COOL_OFF_SECONDS))
        if held is not None and self._mark(held[1]) == mark:
            self._memory.forget(account.account_id)

    def has_other(self, account: Account, value: _Value) -> bool:
        """Return whether another value is cached already."""
        held = self._memory.get(account.account_id)
        return held is not None and self._mark(held[1]) != self._mark(value)

    def _is_refused(self, account: Account, value: _Value) -> bool:
        mark, until = self._refused.get(account.account_id) or ("", 0.0)
        return self._now() < until and mark == self._mark(value)

    async def _fetch(
        self, account: Account, name: Callable[[], str], fetch_from_owner: Callable[[], Awaitable[OwnedValue[_Value]]]
    ) -> _Value:
        # The names of entries in Redis contain the revision.
        value, revision = await self._shared(name()), account.revision
        if value is not None and self._is_refused(account, value):
            value = None
        if value is None or self._now() >= renewal_time(value, 1.0):
            try:
                owning = await self._fetch_from_owner(account, fetch_from_owner)
                value = owning.value if owning.left is None else limit_ttl(owning.value, owning.left, self._now())
                revision = owning.revision
            except (Unavailable, OutOfTime) as error:
                if value is None or not is_acceptable(value, self._now()):
                    raise
                get_logger().warning("owner_unavailable", reason=error.reason)
        seconds = copy_seconds(value, self._now())
        # The value is cached under its own revision, since the owner may have a later one. Without a revision it is not cached.
        if seconds > 0 and revision:
            self._memory.put(account.account_id, (revision, value), seconds)
        return value

    async def _fetch_from_owner(
        self, account: Account, fetch_from_owner: Callable[[], Awaitable[OwnedValue[_Value]]]
    ) -> OwnedValue[_Value]:
        """Return the owner's value, of the account's revision or a later one. Raises Unavailable and its errors.

        A value that Amazon refused is returned only if the owner has no other: used again, it is dropped again.
        """
        found = None
        for _ in range(_ATTEMPTS):
            owning = await fetch_from_owner()
            if owning.revision >= account.revision or not owning.revision:
                found = owning
                if not self._is_refused(account, owning.value):
                    break
        if found is None:
            raise Unavailable(
                "The account was changed, and not every service has its new credentials yet. Try again.",
                retry_after=1.0,
            )
        return found

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
