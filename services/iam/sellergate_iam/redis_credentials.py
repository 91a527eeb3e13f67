"""AWS credentials in the shared Redis: sealed, shared by all replicas, fetched once."""

import json
from collections.abc import Awaitable, Callable

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import SealedCache
from sellergate_common.flight import SingleFlight
from sellergate_common.keyspace import CREDENTIALS_CHANGES, CREDENTIALS_PREFIX, credentials_key
from sellergate_common.sealing import KeyRing

from sellergate_iam.ports import AwsCredentials, Role

_SECRETS = ("access_key_id", "secret_access_key", "session_token")


class RedisCredentials:
    """The cache of credentials, and the single flight over it. The gateway reads the same entries."""

    def __init__(self, redis: Redis, ring: KeyRing, now: Callable[[], float]) -> None:
        self._ring = ring
        self._now = now
        self._entries = SealedCache(redis, ring, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES)
        self._flights: SingleFlight[AwsCredentials] = SingleFlight(redis)

    async def get(self, role: Role) -> AwsCredentials | None:
        """Return the cached credentials."""
        opened = await self._entries.get(self._key(role))
        return _decoded(opened) if opened else None

    async def put(self, role: Role, credentials: AwsCredentials) -> None:
        """Keep credentials until they expire."""
        entry = {name: getattr(credentials, name).get_secret_value() for name in _SECRETS}
        encoded = SecretStr(json.dumps({**entry, "expire_time": credentials.expire_time}))
        await self._entries.put(self._key(role), encoded, credentials.expire_time - self._now())

    async def drop_if(self, role: Role, access_key_id: SecretStr) -> bool:
        """Drop the credentials if they have this access key."""
        dropped = await self._entries.drop_if(
            self._key(role), lambda opened: _decoded(opened).access_key_id == access_key_id
        )
        if dropped:
            await self._entries.announce(role.account_id)
        return dropped

    async def drop(self, role: Role) -> bool:
        """Drop the credentials."""
        dropped = await self._entries.drop(self._key(role))
        await self._entries.announce(role.account_id)
        return dropped

    async def clear(self) -> int:
        """Drop all credentials. Raises Unavailable."""
        return await self._entries.clear()

    async def count(self) -> int:
        """Return how many credentials there are. Raises Unavailable."""
        return await self._entries.count()

    async def once(
        self,
        role: Role,
        look: Callable[[], Awaitable[AwsCredentials | None]],
        fetch: Callable[[], Awaitable[AwsCredentials]],
    ) -> AwsCredentials:
        """Return what is found, or what is fetched once for all who ask at the time."""
        return await self._flights.get(self._key(role), look, fetch)

    @property
    def shared_waits(self) -> int:
        """Return how many waited for another's fetch."""
        return self._flights.counts.shared

    def _key(self, role: Role) -> str:
        return credentials_key(self._ring, role.account_id, role.revision, role.arn)


def _decoded(opened: SecretStr) -> AwsCredentials:
    entry = json.loads(opened.get_secret_value())
    access_key_id, secret_access_key, session_token = (SecretStr(entry[name]) for name in _SECRETS)
    return AwsCredentials(access_key_id, secret_access_key, session_token, float(entry["expire_time"]))
