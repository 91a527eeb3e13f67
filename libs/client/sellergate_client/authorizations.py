"""Sellers' authorizations, through TokenService: Amazon's website workflow and verification; for the edge and operators."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from sellergate.account.v1 import account_pb2
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_common.errors import OutcomeUnknown
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import open_channel

from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.outcomes import transport_outcome
from sellergate_client.rpc.retries import invoke_with_retries

CONTRACTS = (token_service_pb2.DESCRIPTOR.services_by_name["TokenService"],)
_SERVICE = "token"


@checked
class Authorizations:
    """Authorizations as messages of sellergate.token.v1. `on_behalf_of` is the user; only the edge may name one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = token_service_pb2_grpc.TokenServiceStub(channel)

    @staticmethod
    @asynccontextmanager
    async def connect(target: str, identity: Identity) -> AsyncIterator["Authorizations"]:
        """Open a channel to the token service."""
        async with open_channel(target, _SERVICE, identity, CONTRACTS) as channel:
            yield Authorizations(channel)

    async def start(
        self, request: token_service_pb2.StartAuthorizationRequest, *, on_behalf_of: str = ""
    ) -> token_service_pb2.StartAuthorizationResponse:
        """Start an authorization. Raises SellergateError."""
        return await invoke_with_retries(
            self._stub.StartAuthorization, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )

    async def verify(self, account_id: str, *, on_behalf_of: str = "") -> token_service_pb2.VerifyAccountResponse:
        """Exchange an account's refresh token now; a revoked account whose token Amazon accepts becomes active again.

        At most one exchange is made for an account in 60 s; within that time the response has the age of the present token. Raises
        SellergateError; PreconditionFailed (AUTHORIZATION_REVOKED) when Amazon refuses the refresh token.
        """
        request = token_service_pb2.VerifyAccountRequest(account_id=account_id)
        return await invoke_with_retries(
            self._stub.VerifyAccount, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )

    async def complete(
        self, request: token_service_pb2.CompleteAuthorizationRequest, *, on_behalf_of: str = ""
    ) -> account_pb2.Account:
        """Redeem the code that Amazon gave the browser. Raises SellergateError; OutcomeUnknown if the connection broke."""
        with transport_outcome(OutcomeUnknown.default_reason):
            response = await invoke_with_retries(
                self._stub.CompleteAuthorization, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
            )
        return response.account
