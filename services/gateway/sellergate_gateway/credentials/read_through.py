"""Values that other services own and calls are made with: from this process's memory, the shared Redis, or their owner.

Past their renewal time the owner is asked, so that it renews them while they are still good; when it does not answer, what there is
serves until shortly before its end.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from sellergate_common.cache.entries import Perishable, copy_seconds, is_bearable, renewal_time
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.single_flight import LocalFlight
from sellergate_common.cache.ttl import Remembered
from sellergate_common.errors import OutOfTime, Unavailable
from sellergate_common.observability.logs import get_logger

from sellergate_gateway.model import Account

_Value = TypeVar("_Value", bound=Perishable)


class Owned(Generic[_Value]):
    """The memory holds a value with the account's revision: a changed credential never finds an old value."""

    def __init__(
        self,
        entries: SealedCache,
        memory: Remembered[tuple[int, _Value]],
        decode: Callable[[str], _Value],
        now: Callable[[], float],
    ) -> None:
        self._entries = entries
        self._memory = memory
        self._decode = decode
        self._now = now
        self._flight: LocalFlight[_Value] = LocalFlight()

    async def get(self, account: Account, name: Callable[[], str], ask: Callable[[], Awaitable[_Value]]) -> _Value:
        """Return a value of an account; `name` is its entry in Redis, `ask` asks the owner. Raises what `ask` raises."""
        held = self._memory.get(account.account_id)
        if held is not None and held[0] == account.revision:
            return held[1]
        fetch = partial(self._fetch, account, name, ask)
        return await self._flight.get(f"{account.account_id}/{account.revision}", fetch)

    def forget(self, account: Account, value: _Value) -> None:
        """Forget a value that was refused, if it is the one held."""
        held = self._memory.get(account.account_id)
        if held is not None and held[1] == value:
            self._memory.forget(account.account_id)

    async def _fetch(self, account: Account, name: Callable[[], str], ask: Callable[[], Awaitable[_Value]]) -> _Value:
        value = await self._shared(name())
        if value is None or self._now() >= renewal_time(value, 1.0):
            try:
                value = await ask()
            except (Unavailable, OutOfTime) as error:
                if value is None or not is_bearable(value, self._now()):
                    raise
                get_logger().warning("owner_unavailable", reason=error.reason)
        seconds = copy_seconds(value, self._now())
        if seconds > 0:
            self._memory.put(account.account_id, (account.revision, value), seconds)
        return value

    async def _shared(self, name: str) -> _Value | None:
        opened = await self._entries.get(name)
        if opened is None:
            return None
        try:
            value = self._decode(opened.get_secret_value())
        except (ValueError, TypeError, KeyError):  # another version's shape: as good as none
            return None
        return value if is_bearable(value, self._now()) else None
