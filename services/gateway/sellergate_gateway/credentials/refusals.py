"""Values that Amazon refused: they are not used again for a minute, even if their owner returns them.

An owner that cannot be reached, or cannot reach Redis, cannot drop a refused value. Used again, it would only be refused again,
and the caller would read Amazon's refusal where a service of Sellergate's is unavailable.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sellergate_common.cache.entries import COOL_OFF_SECONDS, Expiring
from sellergate_common.cache.lru import Lru
from sellergate_common.errors import Unavailable

_Value = TypeVar("_Value", bound=Expiring)
_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class OwnedValue(Generic[_Value]):
    """A value from its owner. `revision` is the account's, 0 if the owner names none.

    `left` is the remaining lifetime in seconds by the owner's clock; None if the owner names none.
    """

    value: _Value
    revision: int = 0
    left: float | None = None


Fetch = Callable[[], Awaitable[OwnedValue[_Value]]]
Drop = Callable[[_Value], Awaitable[bool]]
"""Let the owner drop a value that Amazon refused, and return whether it responded. Never raises."""


def issued_at(value: Expiring) -> float:
    """Return when a value was issued, in seconds since the epoch."""
    return value.expire_time - value.life


class Refusals(Generic[_Value]):
    """The values that Amazon refused, by key. `mark` identifies a value; `owner` names the service that replaces it."""

    def __init__(self, mark: Callable[[_Value], str], owner: str, now: Callable[[], float]) -> None:
        self._mark = mark
        self._owner = owner
        self._now = now
        self._times: Lru[tuple[str, str], float] = Lru(_SIZE)

    def record(self, key: str, value: _Value) -> None:
        """Record that Amazon refused a value."""
        self._times.put((key, self._mark(value)), self._now())

    def contains(self, key: str, value: _Value) -> bool:
        """Return whether Amazon refused the value within the last minute."""
        at = self._times.get((key, self._mark(value))) if self._times else None
        return at is not None and self._now() < at + COOL_OFF_SECONDS

    async def fetch(self, key: str, fetch: Fetch[_Value], drop: Drop[_Value]) -> OwnedValue[_Value]:
        """Return what the owner has in place of a refused value. Raises Unavailable, and what `fetch` raises.

        The owner may return the refused value once, since the call that drops it may be on its way. An owner that responds to the
        drop keeps what it has just issued, which is returned too: Amazon refuses fresh values then, and its refusal is the result.
        """
        found = await fetch()
        if not self.contains(key, found.value):
            return found
        responds = await drop(found.value)
        found = await fetch()
        if self.contains(key, found.value) and not (responds and self._was_fresh(key, found.value)):
            raise Unavailable(
                f"Amazon refused what the {self._owner} service returns, which could not be replaced. Try again.",
                metadata={"dependency": self._owner},
                retry_after=1.0,
            )
        return found

    def _was_fresh(self, key: str, value: _Value) -> bool:
        """Return whether a refused value had been issued so shortly before its refusal that its owner does not replace it."""
        at = self._times.get((key, self._mark(value))) or 0.0
        return issued_at(value) >= at - COOL_OFF_SECONDS
