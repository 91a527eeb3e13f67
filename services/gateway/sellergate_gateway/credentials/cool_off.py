"""How often an account's credentials are renewed because Amazon refuses them: once for each, and then not for a while.

Where SP-API refuses fresh credentials too, another renewal changes nothing: the account, its roles or Amazon are at fault.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sellergate_common.cache.entries import COOL_OFF_SECONDS
from sellergate_common.cache.lru import Lru

_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class _Renewal:
    """A renewal that was made: of which credentials, and until when there is no other one."""

    mark: str
    until: float
    dropping: "asyncio.Task[None]"


class CoolOff:
    """Renewals of this process by account. `now` is in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._renewals: Lru[str, _Renewal] = Lru(_SIZE)

    async def renew(self, account_id: str, mark: str, drop: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Have credentials replaced that Amazon refused: `mark` names them, `drop` makes their owner forget them.

        Return whether to call again with what there is now; False while others were renewed a moment ago, and these came of it.
        Raises nothing.
        """
        renewal = self._renewals.get(account_id)
        if renewal is None or self._now() >= renewal.until:
            renewal = _Renewal(mark, self._now() + COOL_OFF_SECONDS, asyncio.create_task(drop()))
            self._renewals.put(account_id, renewal)
        elif renewal.mark != mark:
            return False
        # Calls that were refused the same credentials at the same time go on together, when the owner has forgotten them.
        await asyncio.wait({renewal.dropping})
        return True
