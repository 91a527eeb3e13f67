"""Access tokens of accounts, through TokenService, for programs that call Amazon directly."""

import time
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from sellergate.token.v1 import token_service_pb2
from sellergate_common.context import time_left
from sellergate_common.rpc.channel import DEFAULT_SECONDS

from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.kinds import Count, Seconds
from sellergate_client.rpc.replicas import Replicas
from sellergate_client.rpc.retries import retry_until

_SERVICE = token_service_pb2.DESCRIPTOR.services_by_name["TokenService"]
CONTRACTS = (_SERVICE,)
_GET = f"/{_SERVICE.full_name}/GetAccessToken"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token. `expire_time` is in seconds since the epoch, `life` the lifetime in seconds that LWA set.

    `revision` is that of its account; 0 for an application's own token, and from a token service that does not report it.
    """

    value: SecretStr
    expire_time: float
    life: float
    revision: int = 0
    left: float | None = None
    """Seconds of validity from the receipt, independent of clocks; None from a token service that does not report it."""


@checked
class Tokens:
    """Access tokens. The caller's certificate must be named in the token service's SELLERGATE_TOKEN_CALLERS."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    async def get(
        self, account_id: str, *, min_lifetime: Seconds | None = None, expected_revision: Count = 0
    ) -> AccessToken:
        """Return a token that is valid for at least `min_lifetime` seconds (default: 60). The service caches tokens.

        With `expected_revision`, it belongs to that revision of the account or to a later one. The request goes to another
        replica too when one does not respond within a second. Raises SellergateError.
        """
        request = token_service_pb2.GetAccessTokenRequest(account_id=account_id, expected_revision=expected_revision)
        return await self._fetch(request, min_lifetime)

    async def grantless(self, application_id: str, scope: str, *, min_lifetime: Seconds | None = None) -> AccessToken:
        """Return an application's token for a grantless scope such as `sellingpartnerapi::notifications`; otherwise as `get`."""
        wanted = token_service_pb2.GrantlessScope(application_id=application_id, scope=scope)
        return await self._fetch(token_service_pb2.GetAccessTokenRequest(grantless=wanted), min_lifetime)

    async def _fetch(
        self, request: token_service_pb2.GetAccessTokenRequest, min_lifetime: Seconds | None
    ) -> AccessToken:
        if min_lifetime is not None:
            lifetime = Duration()
            lifetime.FromMilliseconds(int(min_lifetime * 1000))
            request.min_lifetime.CopyFrom(lifetime)
        end = time.monotonic() + time_left(DEFAULT_SECONDS)

        async def attempt() -> token_service_pb2.GetAccessTokenResponse:
            kind, left = token_service_pb2.GetAccessTokenResponse, end - time.monotonic()
            return await self._replicas.call(_GET, request, kind, left)

        response = await retry_until(attempt, service="token", end=end)
        expire_time = response.expire_time.ToMilliseconds() / 1000
        life = response.life.ToMilliseconds() / 1000
        left = response.remaining.ToMilliseconds() / 1000 if response.HasField("remaining") else None
        return AccessToken(SecretStr(response.access_token), expire_time, life, response.revision, left)
