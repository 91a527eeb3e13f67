"""How access tokens lie in the shared Redis; the gateway reads the same entries."""

import json
from collections.abc import Callable

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import SealedCache
from sellergate_common.keyspace import TOKEN_CHANGES, TOKEN_PREFIX, token_key
from sellergate_common.redis_entries import Codec, RedisEntries
from sellergate_common.sealing import KeyRing

from sellergate_token.ports import AccessToken, AccountView
from sellergate_token.tokens import fingerprint_of


def redis_tokens(redis: Redis, ring: KeyRing, now: Callable[[], float]) -> RedisEntries[AccountView, AccessToken]:
    """Return the cache of tokens, sealed under `ring`."""
    codec: Codec[AccountView, AccessToken] = Codec(
        name=lambda account: token_key(ring, account.account_id, account.revision),
        account_id=lambda account: account.account_id,
        encode=_encode,
        decode=_decode,
        mark=lambda token: fingerprint_of(token.value),
        life=lambda token: token.expire_time - now(),
    )
    return RedisEntries(redis, SealedCache(redis, ring, TOKEN_PREFIX, TOKEN_CHANGES), codec)


def _encode(token: AccessToken) -> str:
    return json.dumps({"access_token": token.value.get_secret_value(), "expire_time": token.expire_time})


def _decode(text: str) -> AccessToken:
    entry = json.loads(text)
    return AccessToken(SecretStr(entry["access_token"]), float(entry["expire_time"]))
