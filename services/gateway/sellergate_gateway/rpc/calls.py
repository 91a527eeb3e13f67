"""The servicer of GatewayService: conversion between messages and the domain."""

import time
from typing import Any

from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate_common.context import current_caller
from sellergate_common.identity.policy import EDGE
from sellergate_common.rpc.timestamps import to_timestamp
from sellergate_common.status import BEGUN

from sellergate_gateway.calls.diagnostics import CheckOptions, Checks
from sellergate_gateway.calls.metrics import CallMetrics
from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.catalogue import Operations
from sellergate_gateway.credentials.restricted_tokens import RestrictedTokens
from sellergate_gateway.rpc.call_messages import (
    forward_response,
    to_call,
    to_filter,
    to_operation,
    to_quota,
    to_resource,
    to_stage,
)
from sellergate_gateway.rpc.call_streams import CallStreams, Serving
from sellergate_gateway.rpc.streams import StreamingRpcs, Streams

_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class GatewayServicer(StreamingRpcs):
    """The unary RPCs of GatewayService."""

    def __init__(
        self,
        calls: Calls,
        checks: Checks,
        operations: Operations,
        restricted: RestrictedTokens,
        streams: Streams,
        metrics: CallMetrics,
        serving: Serving,
    ) -> None:
        self._streams = streams
        self._calls = calls
        self._checks = checks
        self._operations = operations
        self._restricted = restricted
        self._metrics = metrics
        self._call_streams = CallStreams(self._respond, serving)

    async def Call(self, request: call_pb2.CallRequest, context: Any) -> call_pb2.CallResponse:
        """Make one call."""
        if request.method not in _SAFE_TO_REPEAT:
            await context.send_initial_metadata((BEGUN,))
        response = call_pb2.CallResponse()
        await self._respond(request, response)
        return response

    async def StreamCalls(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]
        """Make many calls over one stream."""
        await self._call_streams.serve(context)

    async def GetRestrictedDataToken(
        self, request: pb2.GetRestrictedDataTokenRequest, context: Any
    ) -> pb2.GetRestrictedDataTokenResponse:
        """Return a token for personal data. The edge gets only its lifetime, while the gateway caches the token."""
        account = await self._calls.account(request.account_id, _user())
        token = await self._restricted.get_checked(account, tuple(map(to_resource, request.resources)))
        shown = "" if current_caller().identity == EDGE else token.value.get_secret_value()
        return pb2.GetRestrictedDataTokenResponse(
            restricted_data_token=shown, expire_time=to_timestamp(token.expire_time)
        )

    async def CheckAccount(self, request: pb2.CheckAccountRequest, context: Any) -> pb2.CheckAccountResponse:
        """Check an account in stages."""
        wanted = CheckOptions(exchange=not request.skip_exchange, call=not request.skip_call)
        state, stages = await self._checks.check(request.account_id, _user(), wanted)
        return pb2.CheckAccountResponse(stages=map(to_stage, stages), state=state)

    async def ListOperations(self, request: pb2.ListOperationsRequest, context: Any) -> pb2.ListOperationsResponse:
        """Return one page of the catalogue."""
        page, token = self._operations.page(to_filter(request), request.page_size, request.page_token)
        return pb2.ListOperationsResponse(operations=map(to_operation, page), next_page_token=token)

    async def GetOperation(self, request: pb2.GetOperationRequest, context: Any) -> pb2.GetOperationResponse:
        """Return one operation."""
        return pb2.GetOperationResponse(operation=to_operation(self._operations.get(request.name)))

    async def GetQuota(self, request: pb2.GetQuotaRequest, context: Any) -> pb2.GetQuotaResponse:
        """Return the state of an account's quota for each operation."""
        user = _user()
        account = await self._calls.account(request.account_id, user)
        sandbox = request.sandbox if request.HasField("sandbox") else account.sandbox
        names = [request.operation, *request.more_operations]
        found = await self._operations.quotas(account, names, user, sandbox=sandbox)
        now = time.time()
        quota, *more = [to_quota(state, bucket.burst, now) for bucket, state in found]
        return pb2.GetQuotaResponse(quota=quota, more_quotas=more)

    async def _respond(self, request: call_pb2.CallRequest, response: call_pb2.CallResponse) -> None:
        """Make one call and write Amazon's response into the message."""
        result = await self._calls.make(to_call(request), _user())
        if result.operation is not None and result.operation.deprecated:
            self._metrics.deprecated(result.operation.name)
        forward_response(result, response)


def _user() -> str:
    return current_caller().on_behalf_of
