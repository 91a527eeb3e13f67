"""Values that other services own and calls are made with: from this process's memory, the shared Redis, or their owner.

Past their renewal time the owner is asked, so that it renews them while they are still good; when it does not respond, the present
value serves until shortly before its end.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from sellergate_common.cache.entries import Expiring, copy_seconds, is_acceptable, limit_ttl, renewal_time
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.single_flight import LocalFlight
from sellergate_common.errors import OutOfTime, Unavailable
from sellergate_common.observability.logs import get_logger

from sellergate_gateway.model import Account

_Value = TypeVar("_Value", bound=Expiring)


# An owner whose value belongs to an older revision than the caller knows of is asked once more.
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class OwnedValue(Generic[_Value]):
    """A value as its owner returned it; `revision` is that of the account it belongs to, 0 where the owner names none.

    `left` are the seconds that it lives by the owner's clock; None where the owner names none.
    """

    value: _Value
    revision: int
    left: float | None


class ReadThroughCache(Generic[_Value]):
    """Values by account, each with the revision that it belongs to: a changed credential never finds an old value."""

    def __init__(
        self,
        entries: SealedCache,
        memory: TtlCache[tuple[int, _Value]],
        decode: Callable[[str], _Value],
        now: Callable[[], float],
    ) -> None:
        self._entries = entries
        self._memory = memory
        self._decode = decode
        self._now = now
        self._flight: LocalFlight[_Value] = LocalFlight()

    async def get(
        self, account: Account, name: Callable[[], str], ask: Callable[[], Awaitable[OwnedValue[_Value]]]
    ) -> _Value:
        """Return a value of an account's revision or of a later one; `name` is its entry in Redis, `ask` asks the owner.

        Raises what `ask` raises.
        """
        held = self._memory.get(account.account_id)
        if held is not None and held[0] >= account.revision:
            return held[1]
        fetch = partial(self._fetch, account, name, ask)
        return await self._flight.get(f"{account.account_id}/{account.revision}", fetch)

    def forget(self, account: Account, value: _Value) -> None:
        """Forget a value that was refused, if it is the one held."""
        held = self._memory.get(account.account_id)
        if held is not None and held[1] == value:
            self._memory.forget(account.account_id)

    def has_other(self, account: Account, value: _Value) -> bool:
        """Return whether another value than this is held already."""
        held = self._memory.get(account.account_id)
        return held is not None and held[1] != value

    async def _fetch(
        self, account: Account, name: Callable[[], str], ask: Callable[[], Awaitable[OwnedValue[_Value]]]
    ) -> _Value:
        # Entries in Redis are named by the revision that they belong to.
        value, revision = await self._shared(name()), account.revision
        if value is None or self._now() >= renewal_time(value, 1.0):
            try:
                owning = await _ask_owner(account, ask)
                value = owning.value if owning.left is None else limit_ttl(owning.value, owning.left, self._now())
                revision = owning.revision
            except (Unavailable, OutOfTime) as error:
                if value is None or not is_acceptable(value, self._now()):
                    raise
                get_logger().warning("owner_unavailable", reason=error.reason)
        seconds = copy_seconds(value, self._now())
        # Kept under the revision that came back: the owner may know more than the caller. Without one it is not kept.
        if seconds > 0 and revision:
            self._memory.put(account.account_id, (revision, value), seconds)
        return value

    async def _shared(self, name: str) -> _Value | None:
        opened = await self._entries.get_living(name)
        if opened is None:
            return None
        sealed, left = opened
        try:
            value = limit_ttl(self._decode(sealed.get_secret_value()), left, self._now())
        except (ValueError, TypeError, KeyError):  # another version's shape: as good as none
            return None
        return value if is_acceptable(value, self._now()) else None


async def _ask_owner(account: Account, ask: Callable[[], Awaitable[OwnedValue[_Value]]]) -> OwnedValue[_Value]:
    """Return the owner's value, of the account's revision or a later one. Raises what `ask` raises, and Unavailable."""
    for _ in range(_ATTEMPTS):
        owning = await ask()
        if owning.revision >= account.revision or not owning.revision:
            return owning
    raise Unavailable(
        "The account was changed, and its new credentials are not known everywhere yet; try again.", retry_after=1.0
    )
