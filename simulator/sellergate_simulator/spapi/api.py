"""The Selling Partner API over HTTP: gate, faults, operation, and the headers that every answer carries."""

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
from sellergate_simulator.http.answers import AmazonError, Answer, denied, errors_answer, html_answer
from sellergate_simulator.spapi import generic
from sellergate_simulator.spapi.calls import Call, Handler
from sellergate_simulator.spapi.gate import EXPIRED_TOKEN, Arrival, Gate, has_body_on_get, quota_exceeded

_log = logging.getLogger("sellergate_simulator.spapi.api")
_INTERNAL = ("InternalFailure", "We encountered an internal error. Please try again.")
_UNAVAILABLE = ("ServiceUnavailable", "Service is temporarily unavailable. Please try again.")


@dataclass(slots=True)
class SellingPartnerApi:
    """Answers the requests of all SP-API addresses."""

    gate: Gate
    faults: Faults
    counters: Counters
    handlers: Mapping[str, Handler]
    clock: Clock

    async def handle(self, request: web.BaseRequest, region: Region | None) -> web.StreamResponse:
        """Answer one request to the address of a region, or of the sandbox (None)."""
        started = self.clock.steady()
        raw_path, _, raw_query = request.raw_path.partition("?")
        arrival = Arrival(
            region=region,
            method=request.method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=request.headers,
            body=await request.content.read(),
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
        """Return what was answered and the name of the operation, None where the request named none."""
        if has_body_on_get(arrival):
            return html_answer(400, "Bad Request").with_headers(headers).response(), None
        try:
            match = self.gate.match(arrival)
        except AmazonError as error:
            return error.answer.with_headers(headers).response(), None
        try:
            call = self.gate.admit(arrival, match)
        except AmazonError as error:
            return self._finished(error.answer, arrival, match, headers).response(), match.operation.name
        fault = self.faults.take(SP_API_KINDS, match.operation.name)
        if fault is None:
            return self._finished(self._execute(call), arrival, match, headers).response(), match.operation.name
        self.counters.faults_given += 1
        return await self._faulted(request, fault, call, (arrival, match, headers)), match.operation.name

    def _execute(self, call: Call) -> Answer:
        """Run an operation; only one that was not refused counts as executed."""
        try:
            answer = self.handlers.get(call.operation.name, generic.answer)(call)
        except AmazonError as error:
            return error.answer
        self.counters.executed(call.operation.name, call.body)
        return answer

    def _finished(self, answer: Answer, arrival: Arrival, match: Match, headers: dict[str, str]) -> Answer:
        """Add the headers of every answer, and the rate to those that carry it: 20x, 400 and 404 (usage plans)."""
        carries = answer.status // 100 == 2 or answer.status in {400, 404}  # noqa: PLR2004  (the class of success)
        if carries and self.gate.buckets.tells(match.operation):
            headers = {**headers, "x-amzn-RateLimit-Limit": str(self.gate.limit(arrival, match).rate)}
        return answer.with_headers(headers)

    async def _faulted(
        self, request: web.BaseRequest, fault: Fault, call: Call, context: tuple[Arrival, Match, dict[str, str]]
    ) -> web.StreamResponse:
        """Let a fault come between a call that was admitted and its answer."""
        arrival, match, headers = context
        answer = self._execute(call) if fault.executed else None
        if fault.kind == "reset":
            return delivery.reset(request)
        if fault.kind == "truncate":
            whole = self._finished(answer or generic.answer(call), arrival, match, headers)
            return await delivery.truncated(request, whole)
        if fault.kind == "slow":
            present = await delivery.still_there_after(request, fault.delay_seconds)
            if answer is None and not present:
                return web.Response(status=503)
            return self._finished(answer or self._execute(call), arrival, match, headers).response()
        if fault.kind in THROTTLING_KINDS:
            if fault.kind == "429":
                headers = {**headers, "x-amzn-RateLimit-Limit": str(self.gate.limit(arrival, match).rate)}
            if fault.retry_after_seconds is not None:
                headers = {**headers, "Retry-After": str(fault.retry_after_seconds)}
            return quota_exceeded(self.counters, match).answer.with_headers(headers).response()
        return (fault.response or _fault_answer(fault.kind)).with_headers(headers).response()


def _fault_answer(kind: str) -> Answer:
    if kind == "403_expired":
        return denied(EXPIRED_TOKEN, "AccessDeniedException").answer
    return {
        "500_json": errors_answer(500, *_INTERNAL),
        "500_html": html_answer(500, "Internal Server Error"),
        "503_json": errors_answer(503, *_UNAVAILABLE),
        "503_html": html_answer(503, "Service Temporarily Unavailable"),
    }[kind]


def hostname(request: web.BaseRequest) -> str:
    """Return the name under which the client reached this machine, without the port."""
    host = request.headers.get("Host", "127.0.0.1")
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdecimal() else host
