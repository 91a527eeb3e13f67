"""A limit on the renewals of credentials that Amazon refuses: once for each, with a pause after it.

If SP-API refuses fresh credentials too, another renewal changes nothing: the account, its roles or Amazon are at fault.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sellergate_common.cache.entries import COOL_OFF_SECONDS
from sellergate_common.cache.lru import Lru

_SIZE = 10_000
# Calls that are refused within these seconds of a renewal carried the old credentials. If the same ones are refused later, a
# replica that was cut off while they were dropped has returned them, and they are dropped again. The clocks of replicas differ by
# less.
SETTLED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Renewal:
    """A renewal: the mark of the refused credentials, the end of the pause, and when their calls in progress have ended."""

    mark: str
    until: float
    settles: float
    dropping: "asyncio.Task[None]"


class CoolOff:
    """The renewals of this process by account. `now` is in seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._renewals: Lru[str, _Renewal] = Lru(_SIZE)

    async def renew(
        self, account_id: str, mark: str, issued: float, drop: Callable[[], Coroutine[Any, Any, None]]
    ) -> bool:
        """Replace credentials that Amazon refused: `mark` identifies them, `drop` makes their owner drop them.

        `issued` is when they were issued. Return whether to call again with the present credentials; False if the refused ones came
        from a recent renewal. Never raises.
        """
        renewal = self._renewals.get(account_id)
        if renewal is None or self._now() >= renewal.until:
            renewal = self._start(account_id, mark, self._now() + COOL_OFF_SECONDS, drop)
        elif renewal.mark != mark:
            if issued > renewal.until - COOL_OFF_SECONDS - SETTLED_SECONDS:
                return False
            # Credentials of another replica or revision that were issued before: Amazon has ended these too.
            renewal = self._start(account_id, mark, renewal.until, drop)
        elif self._now() >= renewal.settles and renewal.dropping.done():
            renewal = self._start(account_id, mark, renewal.until, drop)
        # Simultaneous calls with the same refused credentials continue together, after the owner has dropped these.
        await asyncio.wait({renewal.dropping})
        return True

    def _start(
        self, account_id: str, mark: str, until: float, drop: Callable[[], Coroutine[Any, Any, None]]
    ) -> _Renewal:
        renewal = _Renewal(mark, until, self._now() + SETTLED_SECONDS, asyncio.create_task(drop()))
        self._renewals.put(account_id, renewal)
        return renewal
