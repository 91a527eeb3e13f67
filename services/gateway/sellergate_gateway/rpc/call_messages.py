"""Conversion between messages and the domain, for calls, checks and operations."""

import math
from datetime import UTC, datetime
from email.utils import format_datetime

from google.protobuf.duration_pb2 import Duration
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2, operation_pb2
from sellergate_amazon.operations import Operation
from sellergate_common.errors import InvalidRequest
from sellergate_common.rpc.timestamps import to_duration, to_timestamp

from sellergate_gateway.calls.diagnostics import Stage
from sellergate_gateway.calls.state import CallResult
from sellergate_gateway.catalogue import OperationFilter
from sellergate_gateway.quota.ports import BucketState
from sellergate_gateway.spapi.http import Headers
from sellergate_gateway.spapi.request import RestrictedResource, SpApiCall
from sellergate_gateway.spapi.response import REQUEST_ID, rate_limit_of

DEPRECATED = "x-sellergate-deprecated"
_TOKEN_KINDS = {call_pb2.TOKEN_KIND_SELLER: "SELLER", call_pb2.TOKEN_KIND_GRANTLESS: "GRANTLESS"}


def to_call(request: call_pb2.CallRequest) -> SpApiCall:
    """Return the call of a message. Raises InvalidRequest."""
    form, query = request.WhichOneof("query_string"), None
    if form == "query":
        query = tuple((p.name, p.value if p.HasField("value") else None) for p in request.query.parameters)
    return SpApiCall(
        account_id=request.account_id,
        method=request.method,
        path=request.path,
        operation=request.operation,
        path_params=dict(request.path_params) if request.operation else None,
        raw_query=request.raw_query if form == "raw_query" else None,
        query=query,
        headers=tuple([(header.name, header.value) for header in request.headers]),
        body=request.body,
        content_type=request.content_type,
        data_elements=tuple(request.data_elements),
        as_is=request.answer_mode == call_pb2.ANSWER_MODE_AS_IS,
        max_wait=_seconds(request.max_wait) if request.HasField("max_wait") else None,
        background=request.priority == call_pb2.PRIORITY_BATCH,
        sandbox=request.sandbox if request.HasField("sandbox") else None,
        restricted_resources=tuple([to_resource(resource) for resource in request.restricted_resources]),
        token_kind=_TOKEN_KINDS.get(request.token_kind, ""),
    )


def to_forwarded_response(result: CallResult) -> call_pb2.CallResponse:
    """Render Amazon's response and take its body away: gRPC makes two copies more, of up to 16 MiB each."""
    response = call_pb2.CallResponse()
    forward_response(result, response)
    return response


def forward_response(result: CallResult, response: call_pb2.CallResponse) -> None:
    """Write Amazon's response into an empty message, and take its body away."""
    amazon_response, operation = result.response, result.operation
    response.http_status = amazon_response.status
    response.body, amazon_response.body = amazon_response.body, b""
    response.amazon_request_id = amazon_response.header(REQUEST_ID)
    response.rate_limit = rate_limit_of(amazon_response)
    response.attempts = result.attempts
    response.waited.CopyFrom(to_duration(result.waited))
    response.operation = operation.name if operation else ""
    add = response.headers.add
    for name, value in amazon_response.headers + notes(operation):
        add(name=name, value=value)
    if result.retry_after is not None:
        add(name="Retry-After", value=str(max(1, math.ceil(result.retry_after))))


def notes(operation: Operation | None) -> Headers:
    """Return the headers that Sellergate adds to Amazon's: an operation's deprecation and its end (RFC 8594)."""
    if operation is None or not operation.deprecated:
        return ()
    if operation.removal_date is None:
        return ((DEPRECATED, "Amazon has deprecated this operation"),)
    end = datetime.fromisoformat(operation.removal_date).replace(tzinfo=UTC)
    deprecation = (DEPRECATED, f"Amazon removes this operation on {operation.removal_date}")
    return deprecation, ("Sunset", format_datetime(end, usegmt=True))


def to_stage(stage: Stage) -> gateway_service_pb2.CheckStage:
    """Return the message of a stage of a check."""
    return gateway_service_pb2.CheckStage(
        name=stage.name,
        outcome=gateway_service_pb2.CheckOutcome.Value(f"CHECK_OUTCOME_{stage.outcome}"),
        reason=stage.reason,
        duration=to_duration(stage.seconds),
        age=None if stage.age is None else to_duration(stage.age),
    )


def to_operation(operation: Operation) -> operation_pb2.Operation:
    """Return the message of an operation."""
    return operation_pb2.Operation(
        name=operation.name,
        api=operation.api,
        version=operation.version,
        operation_id=operation.operation_id,
        method=operation.method,
        path=operation.path,
        rate=operation.rate or 0.0,
        burst=operation.burst or 0,
        restricted=operation.restricted,
        grantless_scope=operation.grantless_scope or "",
        deprecated=operation.deprecated,
        idempotent=operation.idempotent,
        application_rate=operation.application_rate or 0.0,
        removal_date=operation.removal_date or "",
        data_elements=operation.restricted_data_elements,
        paginated_by=operation.paginated_by or "",
    )


def to_filter(request: gateway_service_pb2.ListOperationsRequest) -> OperationFilter:
    """Return the filter of a list of operations."""
    given = request.filter
    flags = {
        name: getattr(given, name) if given.HasField(name) else None
        for name in ("deprecated", "restricted", "grantless")
    }
    return OperationFilter(request.search, given.api, given.version, **flags)


def to_quota(state: BucketState, burst: int, now: float) -> operation_pb2.Quota:
    """Return the message of a bucket's state; `now` in seconds since the epoch."""
    reset = to_timestamp(now + state.reset)
    source = operation_pb2.QuotaSource.Value(f"QUOTA_SOURCE_{state.source}")
    return operation_pb2.Quota(rate=state.rate, burst=burst, remaining=state.remaining, reset_time=reset, source=source)


def to_resource(resource: call_pb2.RestrictedResource) -> RestrictedResource:
    """Return the resource of a Restricted Data Token."""
    return RestrictedResource(resource.method, resource.path, tuple(sorted(set(resource.data_elements))))


def _seconds(duration: Duration) -> float:
    seconds = duration.ToMilliseconds() / 1000
    if seconds < 0:
        raise InvalidRequest.of_field("max_wait", "must not be negative")
    return seconds
