"""The types of report documents in the shared Redis."""

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import report_key
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.redis_client import UNREACHABLE
from sellergate_common.sites import Site

from sellergate_gateway.model import Account

# Amazon lists reports of the last 90 days (Reports API model, createdSince).
_REPORT_SECONDS = 90 * 86_400


class RedisReportTypes:
    """The `ReportTypes` port in Redis. A type that Redis has lost costs one more call."""

    def __init__(self, redis: Redis, ring: KeyRing) -> None:
        self._redis = redis
        self._ring = ring

    async def remember(self, account: Account, site: Site, document_id: str, report_type: str) -> None:
        """Store the type of a document."""
        try:
            await self._redis.set(self._name(account, site, document_id), report_type, ex=_REPORT_SECONDS)
        except UNREACHABLE:
            return

    async def get(self, account: Account, site: Site, document_id: str) -> str:
        """Return the type of a document; empty: unknown."""
        try:
            return str(await self._redis.get(self._name(account, site, document_id)) or "")
        except UNREACHABLE:
            return ""

    def _name(self, account: Account, site: Site, document_id: str) -> str:
        # Amazon's ids are unique only together with the seller's ID.
        return report_key(self._ring, "type", *account.shared_parts(site), document_id)
