"""Access tokens from this process's memory, the shared Redis, or the token service."""

import hashlib
from collections.abc import Callable
from functools import partial

import grpc
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_client import tokens as client_tokens
from sellergate_client.tokens import CONTRACTS, Tokens
from sellergate_common.cache.keyspace import token_key
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.payloads import TokenPayload
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import SellergateError
from sellergate_common.observability.logs import get_logger
from sellergate_common.rpc.channel import invoke

from sellergate_gateway.credentials.cool_off import CoolOff
from sellergate_gateway.credentials.ports import Verified
from sellergate_gateway.credentials.read_through import ReadThroughCache
from sellergate_gateway.credentials.refusals import OwnedValue, Refusals, issued_at
from sellergate_gateway.model import AccessToken, Account

__all__ = ["CONTRACTS", "TokenSource"]


class TokenSource:
    """The source of access tokens."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        tokens: Tokens,
        entries: SealedCache,
        ring: KeyRing,
        memory: TtlCache[tuple[int, AccessToken]],
        now: Callable[[], float],
    ) -> None:
        self._hedged = tokens
        self._tokens = token_service_pb2_grpc.TokenServiceStub(channel)
        self._ring = ring
        self._owned = ReadThroughCache(entries, memory, _decode, _fingerprint, "token", now)
        self._refused_grantless = Refusals(_fingerprint, "token", now)
        self._cool_off = CoolOff(now)

    async def get(self, account: Account) -> AccessToken:
        """Return a token with enough lifetime for a call. Raises Unavailable if Amazon refused all that the token service has."""
        name = partial(token_key, self._ring, account.account_id, account.revision)
        fetch, drop = partial(self._fetch_from_token, account), partial(self._invalidate_of, account)
        return await self._owned.get(account, name, fetch, drop)

    async def verify(self, account: Account) -> Verified:
        """Let the token service exchange the refresh token now."""
        request = token_service_pb2.VerifyAccountRequest(account_id=account.account_id)
        found = await invoke(self._tokens.VerifyAccount, request, dependency="token")
        return Verified(found.exchanged, found.age.ToMilliseconds() / 1000)

    async def grantless(self, account: Account, scope: str) -> AccessToken:
        """Return a token of the account's application. It is not cached here, since few calls need one."""

        async def fetch() -> OwnedValue[AccessToken]:
            return OwnedValue(_to_cached(await self._hedged.grantless(account.application_id, scope)))

        drop = partial(self._invalidate_grantless, account, scope)
        return (await self._refused_grantless.fetch(f"{account.application_id} {scope}", fetch, drop)).value

    async def invalidate(self, account: Account, token: AccessToken) -> bool:
        """Drop a token that Amazon refused, here and, if it is the current one, in the token service for all replicas.

        Return whether to call again.
        """
        if self._owned.has_other(account, token):
            return True
        drop = partial(self._drop, account, token)
        return await self._cool_off.renew(account.account_id, _fingerprint(token), issued_at(token), drop)

    async def invalidate_grantless(self, account: Account, scope: str, token: AccessToken) -> bool:
        """Drop an application's own token that Amazon refused, as `invalidate` does."""
        name = f"{account.application_id} {scope}"

        async def drop() -> None:
            self._refused_grantless.record(name, token)
            await self._invalidate_grantless(account, scope, token)

        return await self._cool_off.renew(name, _fingerprint(token), issued_at(token), drop)

    async def _drop(self, account: Account, token: AccessToken) -> None:
        self._owned.forget(account, token)
        await self._invalidate_of(account, token)

    async def _invalidate_of(self, account: Account, token: AccessToken) -> bool:
        return await self._invalidate(
            token_service_pb2.InvalidateAccessTokenRequest(
                account_id=account.account_id, fingerprint=_fingerprint(token)
            )
        )

    async def _invalidate_grantless(self, account: Account, scope: str, token: AccessToken) -> bool:
        owner = token_service_pb2.GrantlessScope(application_id=account.application_id, scope=scope)
        return await self._invalidate(
            token_service_pb2.InvalidateAccessTokenRequest(grantless=owner, fingerprint=_fingerprint(token))
        )

    async def _invalidate(self, request: token_service_pb2.InvalidateAccessTokenRequest) -> bool:
        """Let the token service drop a token; return whether it responded."""
        try:
            await invoke(self._tokens.InvalidateAccessToken, request, dependency="token")
        except SellergateError as error:
            # The repeated call requests another token and gets that error, or a new one.
            get_logger().warning("token_not_invalidated", reason=error.reason)
            return False
        return True

    async def _fetch_from_token(self, account: Account) -> OwnedValue[AccessToken]:
        found = await self._hedged.get(account.account_id, expected_revision=account.revision)
        return OwnedValue(_to_cached(found), found.revision, found.left)


def _fingerprint(token: AccessToken) -> str:
    return hashlib.sha256(token.value.get_secret_value().encode()).hexdigest()


def _to_cached(found: client_tokens.AccessToken) -> AccessToken:
    return AccessToken(found.value, found.expire_time, found.life)


def _decode(text: str) -> AccessToken:
    entry = TokenPayload.decode(text)
    return AccessToken(entry.access_token, entry.expire_time, entry.life)
