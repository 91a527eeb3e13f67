"""How Restricted Data Tokens, and the types of report documents, lie in the shared Redis."""

import json
from collections.abc import Callable

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import UNREACHABLE, SealedCache
from sellergate_common.changes import Changes
from sellergate_common.flight import SingleFlight
from sellergate_common.keyspace import (
    RESTRICTED_CHANGES,
    RESTRICTED_DONE,
    RESTRICTED_PREFIX,
    report_key,
    restricted_key,
)
from sellergate_common.redis_entries import RedisEntries
from sellergate_common.releases import Releases
from sellergate_common.sealing import KeyRing
from sellergate_common.shelf import Codec, Shelf

from sellergate_gateway.ports import AccessToken, Account
from sellergate_gateway.restricted import RestrictedKey, mark_of

# Amazon lists reports of the last 90 days (Reports API model, createdSince).
_REPORT_SECONDS = 90 * 86_400


def redis_restricted(
    redis: Redis, ring: KeyRing, changes: Changes, now: Callable[[], float]
) -> RedisEntries[RestrictedKey, AccessToken]:
    """Return the cache of Restricted Data Tokens, sealed under `ring`. Its listeners must be told what `changes` hears."""
    codec: Codec[RestrictedKey, AccessToken] = Codec(
        name=lambda key: restricted_key(ring, key.account_id, key.revision, repr(key.resources)),
        subject=lambda key: (
            f"{key.account_id} {restricted_key(ring, key.account_id, key.revision, repr(key.resources))}"
        ),
        encode=_encode,
        decode=_decode,
        mark=mark_of,
    )
    shelf = Shelf(SealedCache(redis, ring, RESTRICTED_PREFIX, RESTRICTED_CHANGES), codec, "gateway", now)
    return RedisEntries(shelf, SingleFlight(redis, Releases(redis, changes), RESTRICTED_DONE))


class RedisReportTypes:
    """The types of report documents. What Redis loses is not known; that costs one call more."""

    def __init__(self, redis: Redis, ring: KeyRing) -> None:
        self._redis = redis
        self._ring = ring

    async def remember(self, account: Account, document_id: str, report_type: str) -> None:
        """Remember the type of a document."""
        try:
            await self._redis.set(self._name(account, document_id), report_type, ex=_REPORT_SECONDS)
        except UNREACHABLE:
            return

    async def get(self, account: Account, document_id: str) -> str:
        """Return the type of a document; empty: not known."""
        try:
            return str(await self._redis.get(self._name(account, document_id)) or "")
        except UNREACHABLE:
            return ""

    def _name(self, account: Account, document_id: str) -> str:
        # Amazon's ids are unique with the seller's alone.
        return report_key(self._ring, account.application_id, account.amazon_seller_id, document_id)


def _encode(token: AccessToken) -> str:
    return json.dumps({"token": token.value.get_secret_value(), "expire_time": token.expire_time, "life": token.life})


def _decode(text: str) -> AccessToken:
    entry = json.loads(text)
    return AccessToken(SecretStr(entry["token"]), float(entry["expire_time"]), float(entry["life"]))
