"""Restricted Data Tokens in the shared Redis."""

import json
from collections.abc import Callable

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_amazon import parsing
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import (
    RESTRICTED_CHANGES,
    RESTRICTED_DONE,
    RESTRICTED_PREFIX,
    restricted_key,
)
from sellergate_common.cache.payloads import read_entry
from sellergate_common.cache.redis_entries import RedisEntries
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.store import Codec, EntryStore
from sellergate_common.clock import Clock
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.flights.single_flight import SingleFlight

from sellergate_gateway.credentials.restricted_tokens import RestrictedKey, fingerprint
from sellergate_gateway.model import AccessToken


def redis_restricted(
    redis: Redis, ring: KeyRing, changes: InvalidationFeed, clock: Clock, jitter: Callable[[], float]
) -> RedisEntries[RestrictedKey, AccessToken]:
    """Return the cache of Restricted Data Tokens, sealed under `ring`. The caller must pass messages of `changes` to it."""
    codec: Codec[RestrictedKey, AccessToken] = Codec(
        name=lambda key: restricted_key(ring, key.account_id, key.revision, repr(key.resources)),
        subject=lambda key: (
            f"{key.account_id} {restricted_key(ring, key.account_id, key.revision, repr(key.resources))}"
        ),
        encode=_encode,
        decode=_decode,
        mark=fingerprint,
    )
    store = EntryStore(SealedCache(redis, ring, RESTRICTED_PREFIX, RESTRICTED_CHANGES), codec, "gateway", clock, jitter)
    return RedisEntries(store, SingleFlight(redis, LeaseNotifier(redis, changes, clock.monotonic), RESTRICTED_DONE))


def _encode(token: AccessToken) -> str:
    return json.dumps({"token": token.value.get_secret_value(), "expire_time": token.expire_time, "life": token.life})


def _decode(text: str) -> AccessToken:
    entry = read_entry(text)
    expire_time, life = (parsing.seconds_in(entry, name) for name in ("expire_time", "life"))
    return AccessToken(SecretStr(parsing.token_in(entry, "token")), expire_time, life)
