"""The cache of access tokens in the shared Redis. The gateway reads the same entries."""

from collections.abc import Callable

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import (
    TOKEN_CHANGES,
    TOKEN_DONE,
    TOKEN_PREFIX,
    callers_token_key,
    grantless_key,
    token_key,
    verification_key,
)
from sellergate_common.cache.payloads import TokenPayload
from sellergate_common.cache.redis_entries import Admit, AlwaysAdmitted, RedisEntries
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.store import Codec, EntryStore
from sellergate_common.clock import Clock
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.flights.single_flight import SingleFlight

from sellergate_token.ports import AccessToken, AccountView, CallersGrant, TokenKey
from sellergate_token.tokens.service import fingerprint_of


def redis_tokens(
    redis: Redis,
    ring: KeyRing,
    changes: InvalidationFeed,
    clock: Clock,
    jitter: Callable[[], float],
    admit: Admit = AlwaysAdmitted,
) -> RedisEntries[TokenKey, AccessToken]:
    """Return the cache of tokens, sealed under `ring`. `admit` admits its fetches.

    The caller must pass the messages of `changes` to the cache's listeners.
    """
    codec: Codec[TokenKey, AccessToken] = Codec(
        name=lambda key: _name(ring, key),
        subject=lambda key: _subject(ring, key),
        encode=_encode,
        decode=_decode,
        mark=lambda token: fingerprint_of(token.value),
        version=lambda key: key.revision if isinstance(key, AccountView) else 0,
    )
    store = EntryStore(SealedCache(redis, ring, TOKEN_PREFIX, TOKEN_CHANGES), codec, "token", clock, jitter)
    return RedisEntries(store, SingleFlight(redis, LeaseNotifier(redis, changes, clock.monotonic), TOKEN_DONE), admit)


class RedisVerificationLimiter:
    """The limit on verifications, in the shared Redis."""

    def __init__(self, redis: Redis, ring: KeyRing) -> None:
        self._cache = SealedCache(redis, ring, TOKEN_PREFIX, TOKEN_CHANGES)
        self._ring = ring

    async def acquire(self, account_id: str, seconds: float) -> bool:
        """Reserve an account's next verification. Return False if it is reserved already, or Redis is unavailable."""
        return await self._cache.add(verification_key(self._ring, account_id), SecretStr("taken"), seconds)


def _name(ring: KeyRing, key: TokenKey) -> str:
    if isinstance(key, AccountView):
        return token_key(ring, key.account_id, key.revision)
    if isinstance(key, CallersGrant):
        return callers_token_key(ring, key.digest, key.caller.identity, key.caller.on_behalf_of)
    return grantless_key(ring, key.application_id, key.etag, key.scope)


def _subject(ring: KeyRing, key: TokenKey) -> str:
    """Return the subject under which an entry's changes are published: its id, or a keyed name for a caller's credentials."""
    if isinstance(key, AccountView):
        return key.account_id
    return _name(ring, key) if isinstance(key, CallersGrant) else f"{key.application_id} {key.scope}"


def _encode(token: AccessToken) -> str:
    return TokenPayload(token.value, token.expire_time, token.life, token.refresh_token).encode()


def _decode(text: str) -> AccessToken:
    entry = TokenPayload.decode(text)
    return AccessToken(entry.access_token, entry.expire_time, entry.life, entry.refresh_token)
