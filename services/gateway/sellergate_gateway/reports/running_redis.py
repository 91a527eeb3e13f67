"""The unfinished reports in the shared Redis, which callers of identical requests share."""

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import report_key
from sellergate_common.cache.stored import Stored
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.flights.single_flight import SingleFlight
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE
from sellergate_common.sites import Site

from sellergate_gateway.model import Account
from sellergate_gateway.reports.run import Running

# Longer than the longest pause between two polls. The entry expires after its callers disconnect or their gateway stops.
POLLED_SECONDS = 120
# Amazon allows createReport once a minute when its burst is spent.
_CREATE_SECONDS = 600.0
_POLLED = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('EXPIRE', KEYS[1], ARGV[2]) end return 0"
_FORGET = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisRunningReports:
    """The ids of reports by their request. Keys are HMACs. `done` is the channel on which returned leases are published."""

    def __init__(self, redis: Redis, ring: KeyRing, releases: LeaseNotifier, done: str) -> None:
        self._redis = redis
        self._ring = ring
        self._local: LocalFlight[Running] = LocalFlight(_CREATE_SECONDS)
        self._cluster: SingleFlight[Running] = SingleFlight(redis, releases, done, _CREATE_SECONDS)
        self._polled = redis.register_script(_POLLED)
        self._forget = redis.register_script(_FORGET)

    async def obtain(self, account: Account, site: Site, request: str, create: Callable[[], Awaitable[str]]) -> Running:
        """Return an unfinished report, or create one."""
        name = self._name(account, site, request)
        return await self._local.get(name, lambda: self._cluster.get(name, _FetchJob(self._redis, name, create)))

    async def record_poll(self, account: Account, site: Site, request: str, report_id: str) -> None:
        """Extend the entry of a report."""
        try:
            await self._polled([self._name(account, site, request)], [report_id, POLLED_SECONDS])
        except UNREACHABLE:
            get_logger().warning("report_not_kept")

    async def record_end(self, account: Account, site: Site, request: str, report_id: str) -> None:
        """Delete the entry of a finished or lost report."""
        try:
            await self._forget([self._name(account, site, request)], [report_id])
        except UNREACHABLE:
            get_logger().warning("report_not_forgotten")

    def _name(self, account: Account, site: Site, request: str) -> str:
        return report_key(self._ring, "running", *account.shared_parts(site), request)


class _FetchJob:
    """One look-up or creation of an unfinished report."""

    def __init__(self, redis: Redis, name: str, create: Callable[[], Awaitable[str]]) -> None:
        self._redis = redis
        self._name = name
        self._create = create

    async def look_up(self, stored: Stored | None = None) -> Running | None:
        """Return the report if another caller has created it meanwhile."""
        try:
            found = await self._redis.get(self._name) if stored is None else stored.entry
        except UNREACHABLE:
            return None
        return Running(str(found), created=False) if found else None

    async def fetch(self, fence: int | None) -> Running:  # noqa: ARG002  (a late createReport has taken effect)
        """Create the report and share its id."""
        report_id = await self._create()
        try:
            await self._redis.set(self._name, report_id, ex=POLLED_SECONDS)
        except UNREACHABLE:
            get_logger().warning("report_not_shared")
        return Running(report_id, created=True)
