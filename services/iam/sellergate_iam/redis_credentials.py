"""The cache of AWS credentials in the shared Redis. The gateway reads the same entries."""

from collections.abc import Callable

from redis.asyncio import Redis
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import (
    CREDENTIALS_CHANGES,
    CREDENTIALS_DONE,
    CREDENTIALS_PREFIX,
    callers_credentials_key,
    credentials_key,
)
from sellergate_common.cache.payloads import CredentialsPayload
from sellergate_common.cache.redis_entries import RedisEntries
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.store import Codec, EntryStore
from sellergate_common.clock import Clock
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.flights.single_flight import SingleFlight

from sellergate_iam.ports import AwsCredentials, CredentialsKey, Role


def redis_credentials(
    redis: Redis, ring: KeyRing, changes: InvalidationFeed, clock: Clock, jitter: Callable[[], float]
) -> RedisEntries[CredentialsKey, AwsCredentials]:
    """Return the cache of credentials, sealed under `ring`. The caller must pass the messages of `changes` to its listeners."""
    codec: Codec[CredentialsKey, AwsCredentials] = Codec(
        name=lambda key: _name(ring, key),
        # A role without an account is published by its keyed name, so that neither the ARN nor the caller is readable.
        subject=lambda key: key.account_id if isinstance(key, Role) else _name(ring, key),
        encode=_encode,
        decode=_decode,
        mark=lambda credentials: credentials.access_key_id,
        version=lambda key: key.revision if isinstance(key, Role) else 0,
    )
    store = EntryStore(SealedCache(redis, ring, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES), codec, "iam", clock, jitter)
    return RedisEntries(store, SingleFlight(redis, LeaseNotifier(redis, changes, clock.monotonic), CREDENTIALS_DONE))


def _name(ring: KeyRing, key: CredentialsKey) -> str:
    if isinstance(key, Role):
        return credentials_key(ring, key.account_id, key.revision, key.arn)
    role, session, caller = key.role, key.session, key.caller
    parts = (role.arn, role.region, session.name, str(session.seconds), caller.identity, caller.on_behalf_of)
    return callers_credentials_key(ring, *parts)


def _encode(credentials: AwsCredentials) -> str:
    return CredentialsPayload(
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        credentials.expire_time,
        credentials.life,
    ).encode()


def _decode(text: str) -> AwsCredentials:
    entry = CredentialsPayload.decode(text)
    return AwsCredentials(
        entry.access_key_id, entry.secret_access_key, entry.session_token, entry.expire_time, entry.life
    )
