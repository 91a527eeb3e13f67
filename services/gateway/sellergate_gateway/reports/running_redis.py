"""Which reports are being made, in the shared Redis: whoever asks for the same one meanwhile gets the same."""

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import report_key
from sellergate_common.cache.lease_notifier import Releases
from sellergate_common.cache.single_flight import LocalFlight, SingleFlight
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.model import Account

# Longer than Amazon takes for a report; past it, it is thought lost.
_RUNNING_SECONDS = 4 * 3600
# createReport may be called once a minute, when its burst is spent.
_CREATE_SECONDS = 600.0
_FORGET = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisRunningReports:
    """Ids of reports by what was requested; names hold HMACs. `done` is the channel on which leases are given back."""

    def __init__(self, redis: Redis, ring: KeyRing, releases: Releases, done: str) -> None:
        self._redis = redis
        self._ring = ring
        self._local: LocalFlight[str] = LocalFlight(_CREATE_SECONDS)
        self._cluster: SingleFlight[str] = SingleFlight(redis, releases, done, _CREATE_SECONDS)
        self._forget = redis.register_script(_FORGET)

    async def obtain(self, account: Account, request: str, create: Callable[[], Awaitable[str]]) -> str:
        """Return the id of a report that is being made, or is created now."""
        name = self._name(account, request)
        return await self._local.get(name, lambda: self._cluster.get(name, _Errand(self._redis, name, create)))

    async def ended(self, account: Account, request: str, report_id: str) -> None:
        """Forget a report that is made."""
        try:
            await self._forget([self._name(account, request)], [report_id])
        except UNREACHABLE:
            get_logger().warning("report_not_forgotten")

    def _name(self, account: Account, request: str) -> str:
        return report_key(self._ring, "running", account.application_id, account.amazon_seller_id, request)


class _Errand:
    """One search for a report that is being made."""

    def __init__(self, redis: Redis, name: str, create: Callable[[], Awaitable[str]]) -> None:
        self._redis = redis
        self._name = name
        self._create = create

    async def look(self) -> str | None:
        """Return the report's id if somebody has requested it meanwhile."""
        try:
            found = await self._redis.get(self._name)
        except UNREACHABLE:
            return None
        return str(found) if found else None

    async def fetch(self, fence: int | None) -> str:  # noqa: ARG002  (a late request has been made all the same)
        """Request the report and tell the others."""
        report_id = await self._create()
        try:
            await self._redis.set(self._name, report_id, ex=_RUNNING_SECONDS)
        except UNREACHABLE:
            get_logger().warning("report_not_shared")
        return report_id
