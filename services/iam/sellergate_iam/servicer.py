"""The servicer of IamService: conversion between messages and the domain."""

import time
from typing import Any

from pydantic import SecretStr
from sellergate.iam.v1 import iam_service_pb2 as pb2
from sellergate.iam.v1.iam_service_pb2_grpc import IamServiceServicer
from sellergate_common.context import current_caller
from sellergate_common.errors import InvalidRequest, NotAllowed
from sellergate_common.identity.policy import OPERATOR
from sellergate_common.rpc.timestamps import to_duration, to_timestamp

from sellergate_iam.credentials import Credentials
from sellergate_iam.ports import AwsCredentials, UnsignedRequest
from sellergate_iam.signatures import Signatures


class IamServicer(IamServiceServicer):
    """The RPCs of IamService."""

    def __init__(self, credentials: Credentials, signatures: Signatures, region: str) -> None:
        self._credentials = credentials
        self._signatures = signatures
        self._region = region

    async def AssumeRole(self, request: pb2.AssumeRoleRequest, context: Any) -> pb2.AssumeRoleResponse:
        """Return credentials of an account's role, or for operators of any role by its ARN."""
        seconds = request.duration.ToSeconds() if request.HasField("duration") else None
        match request.WhichOneof("role"):
            case "account_id":
                found = self._credentials.for_account(
                    request.account_id, request.session_name, seconds, request.expected_revision, request.region
                )
                return _to_message(await found)
            case "role_arn":
                caller = current_caller()
                if caller.identity != OPERATOR:
                    raise NotAllowed("Only operators may name a role by its ARN; name an account.")
                region = request.region or self._region
                assumed = self._credentials.for_role(request.role_arn, region, request.session_name, seconds, caller)
                return _to_message(await assumed)
        raise InvalidRequest.of_field("role", "must be one of account_id or role_arn")

    async def SignRequest(self, request: pb2.SignRequestRequest, context: Any) -> pb2.SignRequestResponse:
        """Return the headers that sign a request."""
        headers = tuple((header.name, header.value) for header in request.headers)
        unsigned = UnsignedRequest(request.method, request.url, headers, request.payload_sha256)
        added = await self._signatures.sign(request.account_id, unsigned)
        return pb2.SignRequestResponse(headers=[pb2.HttpHeader(name=name, value=value) for name, value in added])

    async def InvalidateCredentials(
        self, request: pb2.InvalidateCredentialsRequest, context: Any
    ) -> pb2.InvalidateCredentialsResponse:
        """Drop credentials that AWS refused."""
        key = SecretStr(request.access_key_id)
        return pb2.InvalidateCredentialsResponse(
            invalidated=await self._credentials.invalidate(request.account_id, key)
        )

    async def ClearCredentialsCache(
        self, request: pb2.ClearCredentialsCacheRequest, context: Any
    ) -> pb2.ClearCredentialsCacheResponse:
        """Drop cached credentials."""
        return pb2.ClearCredentialsCacheResponse(cleared=await self._credentials.clear(request.account_id))

    async def GetCredentialsCacheStats(
        self, request: pb2.GetCredentialsCacheStatsRequest, context: Any
    ) -> pb2.GetCredentialsCacheStatsResponse:
        """Return counts of the cache."""
        counts, entries = await self._credentials.stats()
        return pb2.GetCredentialsCacheStatsResponse(
            entries=entries,
            hits=counts.hits,
            misses=counts.misses,
            assumptions=counts.fetches,
            shared_waits=counts.shared_waits,
            failures=counts.failures,
            hit_ratio=counts.hit_ratio,
        )


def _to_message(credentials: AwsCredentials) -> pb2.AssumeRoleResponse:
    return pb2.AssumeRoleResponse(
        access_key_id=credentials.access_key_id.get_secret_value(),
        secret_access_key=credentials.secret_access_key.get_secret_value(),
        session_token=credentials.session_token.get_secret_value(),
        expire_time=to_timestamp(credentials.expire_time),
        life=to_duration(credentials.life),
        revision=credentials.revision,
        remaining=to_duration(credentials.expire_time - time.time()),
    )
