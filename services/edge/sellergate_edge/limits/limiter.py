"""The rate limit of each user, counted in Redis for all replicas of the edge.

Requests are taken from a user's shared bucket in blocks, so that most of them need no Redis command. Without Redis each replica
counts for itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sellergate_common.cache.lru import Lru
from sellergate_common.errors import QuotaExceeded
from sellergate_common.flights.local_flight import LocalFlight

BLOCK_SECONDS = 1.0
_MOST_USERS = 50_000
# A replica takes this share of one second's requests at once.
_BLOCK_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second, and the burst."""

    per_second: float
    burst: int


class Counts(Protocol):
    """The shared counts of users' requests."""

    async def take(self, user: str, rate: Rate, wanted: int) -> tuple[int, float]:
        """Take up to `wanted` requests from a user's bucket. Return their number, and if it is 0 the seconds until the next."""


@dataclass(slots=True)
class _Block:
    left: int
    until: float


class Limits:
    """The rate limits of one replica of the edge. `now` is monotonic, in seconds."""

    def __init__(self, counts: Counts, rate: Rate, now: Callable[[], float]) -> None:
        self._now = now
        self._counts = counts
        self._rate = rate
        self._size = max(1, int(rate.per_second * _BLOCK_SHARE))
        self._blocks: Lru[str, _Block] = Lru(_MOST_USERS)
        self._flight: LocalFlight[None] = LocalFlight()

    async def acquire(self, user: str) -> None:
        """Admit a request of a user. Raises QuotaExceeded."""
        while True:
            block = self._blocks.get(user)
            if block is not None and block.left > 0 and self._now() < block.until:
                block.left -= 1
                return
            # Requests that arrive meanwhile wait for the same block; else each would take its own.
            await self._flight.get(user, lambda: self._take(user))

    async def _take(self, user: str) -> None:
        """Take a block for a user. Raises QuotaExceeded."""
        taken, wait = await self._counts.take(user, self._rate, self._size)
        if not taken:
            raise QuotaExceeded(
                f"This user sends more than {self._rate.per_second:g} requests per second. Wait {wait:.1f} s.",
                metadata={"limit": "requests_of_user"},
                retry_after=wait,
            )
        self._blocks.put(user, _Block(taken, self._now() + BLOCK_SECONDS))
