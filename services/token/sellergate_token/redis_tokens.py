"""Access tokens in the shared Redis: sealed, shared by all replicas, fetched once."""

import json
from collections.abc import Awaitable, Callable

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import SealedCache
from sellergate_common.flight import SingleFlight
from sellergate_common.keyspace import TOKEN_CHANGES, TOKEN_PREFIX, token_key
from sellergate_common.sealing import KeyRing

from sellergate_token.ports import AccessToken, AccountView
from sellergate_token.tokens import fingerprint_of


class RedisTokens:
    """The cache of tokens, and the single flight over it. The gateway reads the same entries."""

    def __init__(self, redis: Redis, ring: KeyRing, now: Callable[[], float]) -> None:
        self._ring = ring
        self._now = now
        self._entries = SealedCache(redis, ring, TOKEN_PREFIX, TOKEN_CHANGES)
        self._flights: SingleFlight[AccessToken] = SingleFlight(redis)

    async def get(self, account: AccountView) -> AccessToken | None:
        """Return the cached token."""
        opened = await self._entries.get(self._key(account))
        return _decoded(opened) if opened else None

    async def put(self, account: AccountView, token: AccessToken) -> None:
        """Keep a token until it expires."""
        entry = json.dumps({"access_token": token.value.get_secret_value(), "expire_time": token.expire_time})
        await self._entries.put(self._key(account), SecretStr(entry), token.expire_time - self._now())

    async def drop_if(self, account: AccountView, fingerprint: str) -> bool:
        """Drop the token if it has this fingerprint."""
        dropped = await self._entries.drop_if(
            self._key(account), lambda opened: fingerprint_of(_decoded(opened).value) == fingerprint
        )
        if dropped:
            await self._entries.announce(account.account_id)
        return dropped

    async def drop(self, account: AccountView) -> bool:
        """Drop the token."""
        dropped = await self._entries.drop(self._key(account))
        await self._entries.announce(account.account_id)
        return dropped

    async def clear(self) -> int:
        """Drop all tokens. Raises Unavailable."""
        return await self._entries.clear()

    async def count(self) -> int:
        """Return how many tokens there are. Raises Unavailable."""
        return await self._entries.count()

    async def once(
        self,
        account: AccountView,
        look: Callable[[], Awaitable[AccessToken | None]],
        fetch: Callable[[], Awaitable[AccessToken]],
    ) -> AccessToken:
        """Return what is found, or what is fetched once for all who ask at the time."""
        return await self._flights.get(self._key(account), look, fetch)

    @property
    def shared_waits(self) -> int:
        """Return how many waited for another's fetch."""
        return self._flights.counts.shared

    def _key(self, account: AccountView) -> str:
        return token_key(self._ring, account.account_id, account.revision)


def _decoded(opened: SecretStr) -> AccessToken:
    entry = json.loads(opened.get_secret_value())
    return AccessToken(SecretStr(entry["access_token"]), float(entry["expire_time"]))
