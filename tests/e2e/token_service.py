"""The token service for an operator, with Amazon's counts of exchanges."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from google.protobuf.duration_pb2 import Duration
from sellergate.token.v1.token_service_pb2 import (
    ClearTokenCacheRequest,
    GetAccessTokenRequest,
    GetAccessTokenResponse,
    GetTokenCacheStatsRequest,
    GetTokenCacheStatsResponse,
    GrantlessScope,
)
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.suite import Suite


@dataclass
class TokenService:
    """One replica. A call lasts at most `seconds`."""

    stub: TokenServiceStub
    seconds: float = 20.0

    async def get(self, account_id: str, least: float | None = None) -> GetAccessTokenResponse:
        request = GetAccessTokenRequest(account_id=account_id)
        if least is not None:
            request.min_lifetime.CopyFrom(Duration(nanos=round(least % 1 * 1e9), seconds=int(least)))
        return await invoke(self.stub.GetAccessToken, request, dependency="token", seconds=self.seconds)

    async def grantless(self, application_id: str, scope: str) -> str:
        request = GetAccessTokenRequest(grantless=GrantlessScope(application_id=application_id, scope=scope))
        response = await invoke(self.stub.GetAccessToken, request, dependency="token", seconds=self.seconds)
        return str(response.access_token)

    async def clear(self, account_id: str = "") -> None:
        request = ClearTokenCacheRequest(account_id=account_id)
        await invoke(self.stub.ClearTokenCache, request, dependency="token", seconds=self.seconds)

    async def stats(self) -> GetTokenCacheStatsResponse:
        request = GetTokenCacheStatsRequest()
        return await invoke(self.stub.GetTokenCacheStats, request, dependency="token", seconds=self.seconds)


@asynccontextmanager
async def token_service(suite: Suite, seconds: float = 20.0) -> AsyncIterator[TokenService]:
    """Return the suite's token service."""
    async with open_channel(suite.target("token"), "token", suite.identity("operator"), []) as channel:
        yield TokenService(TokenServiceStub(channel), seconds)


async def exchanges(control: httpx.AsyncClient) -> int:
    """Return how many tokens LWA issued."""
    return int((await control.get("/control/counters")).json()["lwa"]["exchanges"])


async def lwa_calls(control: httpx.AsyncClient) -> int:
    """Return how often LWA was called, whatever its response."""
    lwa = (await control.get("/control/counters")).json()["lwa"]
    return int(lwa["exchanges"]) + sum(lwa["rejected"].values())


def left(response: GetAccessTokenResponse) -> float:
    """Return the remaining lifetime of a token in seconds."""
    return response.expire_time.seconds + response.expire_time.nanos / 1e9 - time.time()
