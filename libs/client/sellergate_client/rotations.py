"""Rotations of secrets and refresh tokens, through TokenService."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import open_channel

from sellergate_client.rpc.retries import invoke_with_retries

_SERVICE = "token"


class Rotations:
    """A client for messages about new secrets and refresh tokens."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = token_service_pb2_grpc.TokenServiceStub(channel)

    @staticmethod
    @asynccontextmanager
    async def connect(token: str, identity: Identity) -> AsyncIterator["Rotations"]:
        """Open the client. No call is repeated when a connection breaks: the service accepts a signed message once."""
        async with open_channel(token, _SERVICE, identity, ()) as channel:
            yield Rotations(channel)

    async def webhook(self, timestamp: str, signature: str, body: bytes) -> bool:
        """Pass on a webhook message unchanged; return whether this call stored something. Raises SellergateError."""
        signed = token_service_pb2.SignedWebhook(timestamp=timestamp, signature=signature, body=body)
        request = token_service_pb2.HandleRotationRequest(webhook=signed)
        return (await invoke_with_retries(self._stub.HandleRotation, request, dependency=_SERVICE)).applied
