"""The servicer of TokenService: conversion between messages and the domain."""

import time
from typing import Any

from pydantic import SecretStr
from sellergate.account.v1 import account_pb2
from sellergate.token.v1 import token_service_pb2 as pb2
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceServicer
from sellergate_common.context import current_caller
from sellergate_common.errors import InvalidRequest
from sellergate_common.rpc.timestamps import set_duration, set_timestamp, to_duration

from sellergate_token.authorizations.completion import AuthorizationCallback
from sellergate_token.authorizations.consent import AuthorizationRequest
from sellergate_token.authorizations.service import Authorizations
from sellergate_token.ports import AccessToken, LwaClient, RefreshToken
from sellergate_token.rotation.handlers import RotationHandlers
from sellergate_token.rotation.webhooks import SignedMessage
from sellergate_token.tokens.service import Tokens
from sellergate_token.tokens.verification import Verifications


class TokenServicer(TokenServiceServicer):
    """The RPCs of TokenService."""

    def __init__(
        self,
        tokens: Tokens,
        verifications: Verifications,
        rotations: RotationHandlers,
        authorizations: Authorizations[account_pb2.Account],
    ) -> None:
        self._tokens = tokens
        self._verifications = verifications
        self._rotations = rotations
        self._authorizations = authorizations

    async def GetAccessToken(self, request: pb2.GetAccessTokenRequest, context: Any) -> pb2.GetAccessTokenResponse:
        """Return an access token with the requested lifetime."""
        min_lifetime = request.min_lifetime.ToMilliseconds() / 1000 if request.HasField("min_lifetime") else None
        match request.WhichOneof("grant"):
            case "account_id":
                found = await self._tokens.for_account(request.account_id, min_lifetime, request.expected_revision)
                return _to_message(found.value, cached=found.cached)
            case "credentials":
                found = await self._tokens.for_client(*_own(request.credentials), current_caller(), min_lifetime)
                return _to_message(found.value, cached=found.cached, inline=True)
            case "grantless":
                wanted = request.grantless
                found = await self._tokens.for_application(wanted.application_id, wanted.scope, min_lifetime)
                return _to_message(found.value, cached=found.cached)
        raise InvalidRequest.of_field("grant", "must be one of account_id, credentials or grantless")

    async def VerifyAccount(self, request: pb2.VerifyAccountRequest, context: Any) -> pb2.VerifyAccountResponse:
        """Exchange an account's refresh token now."""
        verified = await self._verifications.verify(request.account_id, current_caller().on_behalf_of)
        age = to_duration(verified.age)
        return pb2.VerifyAccountResponse(exchanged=verified.exchanged, age=age, restored=verified.restored)

    async def InvalidateAccessToken(
        self, request: pb2.InvalidateAccessTokenRequest, context: Any
    ) -> pb2.InvalidateAccessTokenResponse:
        """Drop a token that Amazon refused."""
        owners = (bool(request.account_id), request.HasField("grantless"), request.HasField("credentials"))
        if sum(owners) != 1:
            raise InvalidRequest.of_field("account_id", "must be set, unless grantless or credentials is")
        fingerprint = request.fingerprint
        if request.account_id:
            invalidated = await self._tokens.invalidate(request.account_id, fingerprint)
        elif request.HasField("grantless"):
            wanted = request.grantless
            invalidated = await self._tokens.invalidate_grantless(wanted.application_id, wanted.scope, fingerprint)
        else:
            own = _own(request.credentials)
            invalidated = await self._tokens.invalidate_callers(*own, current_caller(), fingerprint)
        return pb2.InvalidateAccessTokenResponse(invalidated=invalidated)

    async def ClearTokenCache(self, request: pb2.ClearTokenCacheRequest, context: Any) -> pb2.ClearTokenCacheResponse:
        """Drop cached tokens."""
        return pb2.ClearTokenCacheResponse(cleared=await self._tokens.clear(request.account_id))

    async def GetTokenCacheStats(
        self, request: pb2.GetTokenCacheStatsRequest, context: Any
    ) -> pb2.GetTokenCacheStatsResponse:
        """Return counts of the cache."""
        counts, entries = await self._tokens.stats()
        return pb2.GetTokenCacheStatsResponse(
            entries=entries,
            hits=counts.hits,
            misses=counts.misses,
            refreshes=counts.fetches,
            shared_waits=counts.shared_waits,
            failures=counts.failures,
            hit_ratio=counts.hit_ratio,
            discarded=counts.discarded,
            renewals=counts.renewals,
        )

    async def HandleRotation(self, request: pb2.HandleRotationRequest, context: Any) -> pb2.HandleRotationResponse:
        """Store the credentials of a rotation."""
        match request.WhichOneof("source"):
            case "webhook":
                given = request.webhook
                message = SignedMessage(given.timestamp, given.signature, given.body)
                return pb2.HandleRotationResponse(applied=await self._rotations.webhook(message))
            case "queue_message":
                caller = current_caller().identity
                applied = await self._rotations.queue_message(request.queue_message, caller)
                return pb2.HandleRotationResponse(applied=applied)
        raise InvalidRequest.of_field("source", "must be one of webhook or queue_message")

    async def StartAuthorization(
        self, request: pb2.StartAuthorizationRequest, context: Any
    ) -> pb2.StartAuthorizationResponse:
        """Start an authorization."""
        beginning = AuthorizationRequest(
            user_id=request.user_id,
            application_id=request.application_id,
            marketplace=request.marketplace,
            vendor=request.partner_type == pb2.PARTNER_TYPE_VENDOR,
            amazon_callback_uri=request.amazon_callback_uri,
            amazon_state=SecretStr(request.amazon_state) if request.amazon_state else None,
            selling_partner_id=request.selling_partner_id,
        )
        pending = await self._authorizations.start(beginning, current_caller().on_behalf_of)
        return pb2.StartAuthorizationResponse(
            url=pending.url.get_secret_value(),
            state=pending.state.get_secret_value(),
            browser_nonce=pending.browser_nonce.get_secret_value(),
        )

    async def CompleteAuthorization(
        self, request: pb2.CompleteAuthorizationRequest, context: Any
    ) -> pb2.CompleteAuthorizationResponse:
        """Complete an authorization after Amazon's redirect."""
        returned = AuthorizationCallback(
            state=SecretStr(request.state),
            browser_nonce=SecretStr(request.browser_nonce),
            code=SecretStr(request.code),
            selling_partner_id=request.selling_partner_id,
        )
        account = await self._authorizations.complete(returned, current_caller().on_behalf_of)
        return pb2.CompleteAuthorizationResponse(account=account)


def _own(given: pb2.InlineCredentials) -> tuple[LwaClient, RefreshToken]:
    client = LwaClient(SecretStr(given.client_id), SecretStr(given.client_secret))
    return client, RefreshToken(SecretStr(given.refresh_token))


def _to_message(token: AccessToken, *, cached: bool, inline: bool = False) -> pb2.GetAccessTokenResponse:
    refresh_token = token.refresh_token.get_secret_value() if inline and token.refresh_token else ""
    left = token.expire_time - time.time()
    response = pb2.GetAccessTokenResponse(
        access_token=token.value.get_secret_value(),
        token_type="bearer",
        expires_in=max(0, int(left)),
        source=pb2.TOKEN_SOURCE_CACHE if cached else pb2.TOKEN_SOURCE_REFRESH,
        refresh_token=refresh_token,
        revision=token.revision,
    )
    set_timestamp(response.expire_time, token.expire_time)
    set_duration(response.life, token.life)
    set_duration(response.remaining, left)
    return response
