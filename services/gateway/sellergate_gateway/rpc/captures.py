"""The servicer of CaptureService: conversion between messages and the domain."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import capture_service_pb2 as pb2
from sellergate.gateway.v1.capture_service_pb2_grpc import CaptureServiceServicer
from sellergate_common.identity.operator_settings import visible_user
from sellergate_common.rpc.timestamps import to_duration, to_timestamp

from sellergate_gateway.captures.recent import RecentCalls
from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.service import DEFAULT_SECONDS, Capture, Captures
from sellergate_gateway.captures.shown_operations import shows_bodies
from sellergate_gateway.catalogue import Operations
from sellergate_gateway.spapi.http import Headers


class CaptureServicer(CaptureServiceServicer):
    """The RPCs of CaptureService."""

    def __init__(
        self, captures: Captures, recent: RecentCalls, operations: Operations, operators: frozenset[str]
    ) -> None:
        """Take the dependencies. `operators` are the users that may ask for accounts of all users."""
        self._captures = captures
        self._operators = operators
        self._recent = recent
        self._operations = operations

    async def Capture(self, request: pb2.CaptureRequest, context: Any) -> AsyncIterator[pb2.CaptureResponse]:
        """Stream the exchanges of an account's operation as they happen."""
        operation = self._operations.get(request.operation)
        async with aclosing(self._captures.run(request.account_id, operation, _seconds(request))) as parts:
            async for part in parts:
                if isinstance(part, Capture):
                    beginning = pb2.CaptureBeginning(
                        operation=part.operation,
                        expire_time=to_timestamp(part.until),
                        with_bodies=shows_bodies(operation),
                    )
                    yield pb2.CaptureResponse(beginning=beginning)
                else:
                    yield pb2.CaptureResponse(exchange=_exchange(part))

    async def StartCapture(self, request: pb2.StartCaptureRequest, context: Any) -> pb2.StartCaptureResponse:
        """List all calls of an account from now on."""
        capture = await self._recent.start(request.account_id, self._user(request), _seconds(request))
        return pb2.StartCaptureResponse(expire_time=to_timestamp(capture.until))

    async def EndCapture(self, request: pb2.EndCaptureRequest, context: Any) -> pb2.EndCaptureResponse:
        """End the capture of an account's calls."""
        await self._recent.end(request.account_id, self._user(request))
        return pb2.EndCaptureResponse()

    async def ListCapturedExchanges(
        self, request: pb2.ListCapturedExchangesRequest, context: Any
    ) -> pb2.ListCapturedExchangesResponse:
        """Return one page of an account's recent exchanges."""
        found, token = await self._recent.page(
            request.account_id, self._user(request), request.page_size, request.page_token
        )
        running = await self._recent.running(request.account_id)
        return pb2.ListCapturedExchangesResponse(
            exchanges=map(_exchange, found),
            next_page_token=token,
            expire_time=to_timestamp(running.until) if running else None,
        )

    def _user(self, request: "_Listed") -> str:
        return visible_user(self._operators, all_users=request.all_users)


_Listed = pb2.StartCaptureRequest | pb2.EndCaptureRequest | pb2.ListCapturedExchangesRequest


def _seconds(request: pb2.CaptureRequest | pb2.StartCaptureRequest) -> float:
    return request.duration.ToMilliseconds() / 1000 if request.HasField("duration") else DEFAULT_SECONDS


def _exchange(exchange: Exchange) -> pb2.CapturedExchange:
    return pb2.CapturedExchange(
        start_time=to_timestamp(exchange.start_time),
        request_id=exchange.request_id,
        method=exchange.method,
        path=exchange.path,
        query_names=exchange.query_names,
        request_headers=_headers(exchange.request_headers),
        request_body=exchange.request_body,
        http_status=exchange.status,
        response_headers=_headers(exchange.response_headers),
        response_body=exchange.response_body,
        duration=to_duration(exchange.seconds),
        failure=exchange.failure,
        operation=exchange.operation,
    )


def _headers(headers: Headers) -> list[call_pb2.Header]:
    return [call_pb2.Header(name=name, value=value) for name, value in headers]
