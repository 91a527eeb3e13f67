"""Single flight: one fetch for all replicas of the cluster that need the same missing value."""

from typing import Generic, Protocol, TypeVar

from redis.asyncio import Redis

from sellergate_common.cache.stored import Stored
from sellergate_common.flights.lease import LeaseNotifier, acquire, hold_lease
from sellergate_common.flights.local_flight import FLIGHT_SECONDS
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

_Value = TypeVar("_Value")
_Value_co = TypeVar("_Value_co", covariant=True)


class FetchJob(Protocol[_Value_co]):
    """A fetch that the cluster shares: a look-up, and the fetch itself."""

    async def look_up(self, stored: Stored | None = None) -> _Value_co | None:
        """Return the value if it is stored by now. Raises a remembered failure. `stored` was read from Redis for this look-up."""

    async def fetch(self, fence: int | None) -> _Value_co:
        """Fetch and store the value under a fencing number; None where no lease can be had."""


class SingleFlight(Generic[_Value]):
    """The election of one fetching replica in the cluster by a lease in Redis, which is renewed for `seconds` at most."""

    def __init__(self, redis: Redis, releases: LeaseNotifier, channel: str, seconds: float = FLIGHT_SECONDS) -> None:
        self._redis = redis
        self._seconds = seconds
        self.releases = releases
        self.channel = channel
        self.shared = 0

    async def get(self, name: str, job: FetchJob[_Value]) -> _Value:
        """Return the stored value, or the one that the elected replica fetches. Raises what the job raises."""
        while True:
            try:
                lease = await acquire(self._redis, name)
                if lease is None:
                    self.shared += 1
                    await self.releases.wait(name, self._seconds)
            except UNREACHABLE:
                # Without Redis, each process fetches by itself: at worst, once per replica.
                get_logger().warning("single_flight_without_redis")
                return await job.fetch(None)
            if lease is None:
                found = await job.look_up()
                if found is not None:
                    return found
                continue
            async with hold_lease(self._redis, name, lease, self.channel, longest=self._seconds):
                found = await job.look_up(lease.stored)
                return found if found is not None else await job.fetch(lease.fence)

    async def try_alone(self, name: str, job: FetchJob[_Value]) -> _Value | None:
        """Return the stored value, or fetch it; return None while another replica fetches it."""
        try:
            lease = await acquire(self._redis, name)
        except UNREACHABLE:
            return await job.fetch(None)
        if lease is None:
            return None
        async with hold_lease(self._redis, name, lease, self.channel, longest=self._seconds):
            found = await job.look_up(lease.stored)
            return found if found is not None else await job.fetch(lease.fence)
