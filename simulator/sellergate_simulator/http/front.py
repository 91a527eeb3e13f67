"""The main port: LWA, STS, documents, the consent pages and control, told apart by method and path."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from sellergate_simulator.control.api import Control
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.control.faults import LWA_KINDS, STS_KINDS, Fault, Faults
from sellergate_simulator.http.answers import Answer, html_answer, json_answer
from sellergate_simulator.identity import sts
from sellergate_simulator.identity.consent import ConsentPages
from sellergate_simulator.identity.lwa import TokenEndpoint, grant_type_of
from sellergate_simulator.operations.documents import Documents


@dataclass(slots=True)
class Front:
    """Answers the requests of the main port."""

    lwa: TokenEndpoint
    sts: sts.SecurityTokenService
    documents: Documents
    consent: ConsentPages
    control: Control
    faults: Faults
    counters: Counters

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _, raw_query = request.raw_path.partition("?")
        if path.startswith("/documents/"):
            return await self.documents.handle(request, path, raw_query)
        body = await request.content.read()
        if path.startswith("/control/"):
            answer = self.control.answer(request.method, path, body)
        elif path.startswith("/apps/"):
            answer = self.consent.answer(request.method, path, raw_query, body)
        elif (request.method, path) == ("POST", "/auth/o2/token"):
            answer = await self._exchange(request, body)
        elif (request.method, path) == ("POST", "/"):
            faulty = self._fault(STS_KINDS) is not None
            answer = sts.throttled() if faulty else self.sts.answer(path, raw_query, request.headers, body)
        else:
            answer = json_answer({"error": "Nothing is here."}, 404)
        return answer.response()

    async def _exchange(self, request: web.BaseRequest, body: bytes) -> Answer:
        content_type = request.headers.get("Content-Type", "")
        fault = self._fault(LWA_KINDS, grant_type_of(content_type, body))
        if fault is not None and fault.kind == "lwa_500":
            description = "The authorization server encountered an unexpected condition"
            return json_answer({"error": "server_error", "error_description": description}, 500)
        if fault is not None and fault.kind == "lwa_html":
            return html_answer(503, "Service Temporarily Unavailable")
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
        return self.lwa.exchange(content_type, body)

    def _fault(self, kinds: tuple[str, ...], operation: str | None = None) -> Fault | None:
        fault = self.faults.take(kinds, operation)
        self.counters.faults_given += fault is not None
        return fault
