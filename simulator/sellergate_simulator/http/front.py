"""The main port: LWA, STS, documents, the consent pages and control, distinguished by method and path."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from sellergate_simulator.control.api import Control
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.control.faults import LWA_KINDS, STS_KINDS, Fault, Faults
from sellergate_simulator.http.bodies import read_body
from sellergate_simulator.http.delivery import still_there_after
from sellergate_simulator.http.responses import Response, html_response, json_response
from sellergate_simulator.identity import oddities, sts
from sellergate_simulator.identity.consent import ConsentPages
from sellergate_simulator.identity.lwa import TokenEndpoint, grant_type_of
from sellergate_simulator.operations.documents import Documents

SILENT_LOOK_SECONDS = 0.05
"""The interval in seconds at which a silent connection checks for its client."""


@dataclass(slots=True)
class Front:
    """The handler of the main port."""

    lwa: TokenEndpoint
    sts: sts.SecurityTokenService
    documents: Documents
    consent: ConsentPages
    control: Control
    faults: Faults
    counters: Counters

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle one request."""
        path, _, raw_query = request.raw_path.partition("?")
        if path.startswith("/documents/"):
            return await self.documents.handle(request, path, raw_query)
        body = await read_body(request)
        if path.startswith("/control/"):
            response = self.control.respond(request.method, path, body)
        elif path.startswith("/apps/"):
            response = self.consent.respond(request.method, path, raw_query, body)
        elif (request.method, path) == ("POST", "/auth/o2/token"):
            response = await self._exchange(request, body)
        elif (request.method, path) == ("POST", "/"):
            faulty = await self._inject_fault(request, STS_KINDS, oddities.STS)
            response = faulty or self.sts.respond(path, raw_query, request.headers, body)
        else:
            response = json_response({"error": "Nothing is here."}, 404)
        return response.to_aiohttp()

    async def _exchange(self, request: web.BaseRequest, body: bytes) -> Response:
        content_type = request.headers.get("Content-Type", "")
        faulty = await self._inject_fault(request, LWA_KINDS, oddities.LWA, grant_type_of(content_type, body))
        return faulty or self.lwa.exchange(content_type, body)

    async def _inject_fault(
        self,
        request: web.BaseRequest,
        kinds: tuple[str, ...],
        odd: Mapping[str, Callable[[], Response]],
        operation: str | None = None,
    ) -> Response | None:
        """Return a fault's response; None where the true response follows, possibly after a delay."""
        fault = self._fault(kinds, operation)
        if fault is None or fault.response is not None:
            return fault.response if fault else None
        if fault.kind in odd:
            seconds = fault.retry_after_seconds
            return odd[fault.kind]().with_headers({} if seconds is None else {"Retry-After": str(seconds)})
        if fault.kind.endswith("_silent"):
            while await still_there_after(request, SILENT_LOOK_SECONDS):
                pass
            return html_response(503, "The client has left")
        await asyncio.sleep(fault.delay_seconds)
        return None

    def _fault(self, kinds: tuple[str, ...], operation: str | None = None) -> Fault | None:
        fault = self.faults.take(kinds, operation)
        self.counters.faults_given += fault is not None
        return fault
