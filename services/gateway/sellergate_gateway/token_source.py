"""Access tokens: from this process's memory, from the shared Redis, or from the token service."""

import hashlib
import json
from collections.abc import Callable

import grpc
from pydantic import SecretStr
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_common.cache import SealedCache
from sellergate_common.channel import invoke
from sellergate_common.errors import SellergateError
from sellergate_common.flight import LocalFlight
from sellergate_common.keyspace import token_key
from sellergate_common.logs import get_logger
from sellergate_common.remembered import Remembered
from sellergate_common.sealing import KeyRing

from sellergate_gateway.ports import AccessToken, Account

CONTRACTS = (token_service_pb2.DESCRIPTOR.services_by_name["TokenService"],)
# A call may take a while to reach Amazon; a token with less life than this is not used.
MIN_LIFETIME = 60.0


class TokenSource:
    """The memory holds a token with the account's revision: a changed credential never finds an old token."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        entries: SealedCache,
        ring: KeyRing,
        memory: Remembered[tuple[int, AccessToken]],
        now: Callable[[], float],
    ) -> None:
        self._tokens = token_service_pb2_grpc.TokenServiceStub(channel)
        self._entries = entries
        self._ring = ring
        self._memory = memory
        self._now = now
        self._flight: LocalFlight[AccessToken] = LocalFlight()

    async def get(self, account: Account) -> AccessToken:
        """Return a token that lives for a minute at least."""
        held = self._memory.get(account.account_id)
        if held is not None and held[0] == account.revision:
            return held[1]
        return await self._flight.get(f"{account.account_id}/{account.revision}", lambda: self._fetch(account))

    async def invalidate(self, account: Account, token: AccessToken) -> None:
        """Forget a token that Amazon refused; the token service does so for everybody, if it is still the current one."""
        held = self._memory.get(account.account_id)
        if held is not None and held[1] == token:
            self._memory.forget(account.account_id)
        fingerprint = hashlib.sha256(token.value.get_secret_value().encode()).hexdigest()
        request = token_service_pb2.InvalidateAccessTokenRequest(account_id=account.account_id, fingerprint=fingerprint)
        try:
            await invoke(self._tokens.InvalidateAccessToken, request, dependency="token")
        except SellergateError as error:
            # The next call asks the token service again and is told what is wrong; this one has its own error to report.
            get_logger().warning("token_not_invalidated", reason=error.reason)

    async def _fetch(self, account: Account) -> AccessToken:
        token = await self._shared(account) or await self._asked(account)
        life = token.expire_time - self._now() - MIN_LIFETIME
        if life > 0:
            self._memory.put(account.account_id, (account.revision, token), life)
        return token

    async def _shared(self, account: Account) -> AccessToken | None:
        opened = await self._entries.get(token_key(self._ring, account.account_id, account.revision))
        if opened is None:
            return None
        try:
            entry = json.loads(opened.get_secret_value())
            token = AccessToken(SecretStr(entry["access_token"]), float(entry["expire_time"]))
        except (ValueError, TypeError, KeyError):  # another version's shape: as good as none
            return None
        return token if token.expire_time - self._now() >= MIN_LIFETIME else None

    async def _asked(self, account: Account) -> AccessToken:
        request = token_service_pb2.GetAccessTokenRequest(account_id=account.account_id)
        answer = await invoke(self._tokens.GetAccessToken, request, dependency="token")
        return AccessToken(SecretStr(answer.access_token), answer.expire_time.ToMilliseconds() / 1000)
