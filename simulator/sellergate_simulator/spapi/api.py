"""The Selling Partner API over HTTP: checks, faults, operation, and the headers of every response."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web
from sellergate_amazon.marketplaces import Region
from sellergate_amazon.operations import Match

from sellergate_simulator.clock import Clock
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.control.faults import SP_API_KINDS, THROTTLING_KINDS, Fault, Faults
from sellergate_simulator.http import delivery
from sellergate_simulator.http.bodies import read_body
from sellergate_simulator.http.responses import AmazonError, Response, denied, errors_response, html_response
from sellergate_simulator.spapi import generic
from sellergate_simulator.spapi.calls import Call, Handler
from sellergate_simulator.spapi.gate import EXPIRED_TOKEN, Arrival, Gate, has_body_on_get, quota_exceeded

_log = logging.getLogger("sellergate_simulator.spapi.api")
_INTERNAL = ("InternalFailure", "We encountered an internal error. Please try again.")
_UNAVAILABLE = ("ServiceUnavailable", "Service is temporarily unavailable. Please try again.")


@dataclass(slots=True)
class SellingPartnerApi:
    """The handler of all SP-API addresses."""

    gate: Gate
    faults: Faults
    counters: Counters
    handlers: Mapping[str, Handler]
    clock: Clock

    async def handle(self, request: web.BaseRequest, region: Region | None) -> web.StreamResponse:
        """Handle one request to the address of a region, or of the sandbox (None)."""
        started = self.clock.steady()
        raw_path, _, raw_query = request.raw_path.partition("?")
        arrival = Arrival(
            region=region,
            method=request.method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=request.headers,
            body=await read_body(request),
            hostname=hostname(request),
        )
        request_id = str(uuid4())
        response, operation = await self._respond(request, arrival, {"x-amzn-RequestId": request_id})
        _log.debug(
            "sp-api",
            extra={
                "address": region.name if region else "sandbox",
                "method": arrival.method,
                "operation": operation,
                "status": response.status,
                "request_id": request_id,
                "milliseconds": round((self.clock.steady() - started) * 1000, 2),
            },
        )
        return response

    async def _respond(
        self, request: web.BaseRequest, arrival: Arrival, headers: dict[str, str]
    ) -> tuple[web.StreamResponse, str | None]:
        """Return the response and the name of the operation; None for an unknown route."""
        if has_body_on_get(arrival):
            return html_response(400, "Bad Request").with_headers(headers).to_aiohttp(), None
        try:
            match = self.gate.match(arrival)
        except AmazonError as error:
            return error.response.with_headers(headers).to_aiohttp(), None
        try:
            call = self.gate.admit(arrival, match)
        except AmazonError as error:
            return self._finish(error.response, arrival, match, headers).to_aiohttp(), match.operation.name
        fault = self.faults.take(SP_API_KINDS, match.operation.name)
        if fault is None:
            return self._finish(self._execute(call), arrival, match, headers).to_aiohttp(), match.operation.name
        self.counters.faults_given += 1
        return await self._inject_fault(request, fault, call, (arrival, match, headers)), match.operation.name

    def _execute(self, call: Call) -> Response:
        """Run an operation, and count it as executed unless it refuses the request."""
        try:
            response = self.handlers.get(call.operation.name, generic.respond)(call)
        except AmazonError as error:
            return error.response
        self.counters.record_execution(call.operation.name, call.body)
        token = call.token
        self.counters.journal.executed(
            self.clock.steady(), call.operation.name, token.selling_partner_id, token.grant, call.query.raw, call.body
        )
        return response

    def _finish(self, response: Response, arrival: Arrival, match: Match, headers: dict[str, str]) -> Response:
        """Add the headers of every response, and the rate for 20x, 400 and 404 (usage plans)."""
        carries = response.status // 100 == 2 or response.status in {400, 404}  # noqa: PLR2004  (the class of success)
        if carries and self.gate.buckets.sends_rate_header(match.operation):
            headers = {**headers, "x-amzn-RateLimit-Limit": str(self.gate.limit(arrival, match).rate)}
        return response.with_headers(headers)

    async def _inject_fault(
        self, request: web.BaseRequest, fault: Fault, call: Call, context: tuple[Arrival, Match, dict[str, str]]
    ) -> web.StreamResponse:
        """Return a fault's response to an admitted call; None without a fault."""
        arrival, match, headers = context
        response = self._execute(call) if fault.executed else None
        if fault.kind == "reset":
            return delivery.reset(request)
        if fault.kind == "truncate":
            whole = self._finish(response or generic.respond(call), arrival, match, headers)
            return await delivery.truncated(request, whole)
        if fault.kind == "slow":
            present = await delivery.still_there_after(request, fault.delay_seconds)
            if response is None and not present:
                return web.Response(status=503)
            return self._finish(response or self._execute(call), arrival, match, headers).to_aiohttp()
        if fault.kind in THROTTLING_KINDS:
            if fault.kind == "429":
                headers = {**headers, "x-amzn-RateLimit-Limit": str(self.gate.limit(arrival, match).rate)}
            if fault.retry_after_seconds is not None:
                headers = {**headers, "Retry-After": str(fault.retry_after_seconds)}
            return quota_exceeded(self.counters, match).response.with_headers(headers).to_aiohttp()
        return (fault.response or _fault_response(fault.kind)).with_headers(headers).to_aiohttp()


def _fault_response(kind: str) -> Response:
    if kind == "403_expired":
        return denied(EXPIRED_TOKEN, "AccessDeniedException").response
    return {
        "500_json": errors_response(500, *_INTERNAL),
        "500_html": html_response(500, "Internal Server Error"),
        "503_json": errors_response(503, *_UNAVAILABLE),
        "503_html": html_response(503, "Service Temporarily Unavailable"),
    }[kind]


def hostname(request: web.BaseRequest) -> str:
    """Return the host name that the client used, without the port."""
    host = request.headers.get("Host", "127.0.0.1")
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdecimal() else host
