"""The control API: tests change state, inject faults and read counters while the simulator runs."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError
from sellergate_amazon.operations import Catalogue

from sellergate_simulator.clock import Clock, iso
from sellergate_simulator.control import requests as bodies
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.control.faults import (
    LWA_KINDS,
    SP_API_KINDS,
    Fault,
    Faults,
)
from sellergate_simulator.http.responses import Response, json_response
from sellergate_simulator.identity.lwa import CODE_LIFE_SECONDS, GRANT_TYPES
from sellergate_simulator.identity.tokens import AccessTokens
from sellergate_simulator.seed import Seed, Strict, sentence
from sellergate_simulator.shops.order_book import OrderBook
from sellergate_simulator.spapi.buckets import Buckets
from sellergate_simulator.state import AuthorizationCode, RotationQueue, World

B = TypeVar("B", bound=Strict)


class ControlError(Exception):
    """A request that the control API refuses, with a sentence that names the field."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.response = json_response({"error": message}, status)


@dataclass(slots=True)
class Control:
    """The routes below /control/."""

    world: World
    tokens: AccessTokens
    buckets: Buckets
    faults: Faults
    counters: Counters
    orders: OrderBook
    catalogue: Catalogue
    clock: Clock
    ports: Mapping[str, int]
    """Filled once the simulator listens."""

    def respond(self, method: str, path: str, body: bytes) -> Response:
        """Return the response to one request."""
        name = path.removeprefix("/control/")
        try:
            return self._handler(method, name)(body)
        except ControlError as error:
            return error.response

    def _handler(self, method: str, name: str) -> Callable[[bytes], Response]:
        """Return the handler of a method and a name; two names end with an ID."""
        area, _, last = name.partition("/")
        if (method, area) == ("GET", "orders") and last:
            return lambda _: self._orders(last)
        if (method, area) == ("DELETE", "faults") and last:
            return lambda _: self._remove_fault(last)
        handler = self._handlers().get((method, name))
        if handler is None:
            raise ControlError(f"There is no {method} /control/{name:.60}.", 404)
        return handler

    def _handlers(self) -> dict[tuple[str, str], Callable[[bytes], Response]]:
        return {
            ("GET", "health"): lambda _: json_response({"status": "ok", "ports": dict(self.ports)}),
            ("GET", "counters"): lambda _: json_response(self.counters.document()),
            ("GET", "recording"): lambda _: json_response({"bodies": dict(self.counters.bodies)}),
            ("POST", "recording"): self._record,
            ("GET", "journal"): lambda _: json_response(self.counters.journal.document()),
            ("POST", "journal"): self._start_journal,
            ("GET", "faults"): lambda _: json_response({"faults": [fault.document() for fault in self.faults.all()]}),
            ("DELETE", "faults"): lambda _: json_response({"removed": self.faults.remove()}),
            ("POST", "faults"): self._add_fault,
            ("POST", "seed"): self._seed,
            ("POST", "reset"): self._reset,
            ("POST", "rates"): self._set_rates,
            ("POST", "tokens"): self._set_token_life,
            ("POST", "processing"): self._set_processing,
            ("POST", "sessions/expire"): self._expire_sessions,
            ("POST", "secrets/revoke-grant"): self._revoke_grant,
            ("POST", "secrets/rotate-client"): self._rotate_client,
            ("POST", "secrets/queue"): self._enrol_queue,
            ("POST", "authorization-codes"): self._add_authorization_code,
            ("POST", "consent"): self._set_consent,
        }

    def _record(self, body: bytes) -> Response:
        self.counters.record(self._operation(_parse(bodies.Recording, body).operation))
        return json_response({})

    def _start_journal(self, body: bytes) -> Response:
        _parse(bodies.StartJournal, body)
        self.counters.journal.start()
        return json_response({})

    def _seed(self, body: bytes) -> Response:
        try:
            self.world.seed(_parse(Seed, body))
        except ValueError as error:
            raise ControlError(str(error)) from None
        world = self.world
        counts = {"applications": len(world.applications), "sellers": len(world.sellers), "roles": len(world.roles)}
        return json_response({**counts, "refresh_tokens": len(world.grants), "aws_keys": len(world.aws_keys)})

    def _reset(self, body: bytes) -> Response:
        request = _parse(bodies.Reset, body)
        self.counters.reset()
        self.buckets.refill()
        self.faults.remove()
        if request.tokens:
            self.tokens.clear()
        return json_response({})

    def _set_rates(self, body: bytes) -> Response:
        request = _parse(bodies.Rates, body)
        name = None if request.operation is None else self._operation(request.operation)
        if name is None:
            self.buckets.scale, self.buckets.burst_scale = request.scale, request.burst_scale
            self.buckets.by_operation.clear()
            self.buckets.unspecified.clear()
        else:
            self.buckets.by_operation[name] = (request.scale, request.burst_scale)
        (self.buckets.unspecified.discard if request.header else self.buckets.unspecified.add)(name)
        self.buckets.refill()
        return json_response({})

    def _set_token_life(self, body: bytes) -> Response:
        self.world.token_life_seconds = _parse(bodies.Tokens, body).life_seconds
        return json_response({})

    def _set_processing(self, body: bytes) -> Response:
        self.world.processing_step_seconds = _parse(bodies.Processing, body).step_seconds
        return json_response({})

    def _expire_sessions(self, body: bytes) -> Response:
        _parse(bodies.ExpireSessions, body)
        return json_response({"expired": self.world.expire_sessions(self.clock.wall())})

    def _revoke_grant(self, body: bytes) -> Response:
        request = _parse(bodies.RevokeGrant, body)
        grant = self.world.grants.get(request.refresh_token.get_secret_value())
        if grant is None:
            raise ControlError("refresh_token: no seller has granted it.")
        grant.revoked = True
        if request.access_tokens:
            self.tokens.revoke(grant.client_id, grant.selling_partner_id)
        return json_response({})

    def _rotate_client(self, body: bytes) -> Response:
        request = _parse(bodies.RotateClient, body)
        application = self.world.applications.get(request.client_id)
        if application is None:
            raise ControlError("client_id: no application has this client id.")
        application.rotate(request.new_secret.get_secret_value(), self.clock.wall() + request.old_life_seconds)
        return json_response({})

    def _enrol_queue(self, body: bytes) -> Response:
        request = _parse(bodies.EnrolQueue, body)
        if request.client_id not in self.world.applications:
            raise ControlError("client_id: no application has this client id.")
        if request.queue_url is None:
            self.world.rotation_queues.pop(request.client_id, None)
        else:
            self.world.rotation_queues[request.client_id] = RotationQueue(request.queue_url, request.region)
        return json_response({})

    def _add_authorization_code(self, body: bytes) -> Response:
        request = _parse(bodies.NewAuthorizationCode, body)
        if request.client_id not in self.world.applications:
            raise ControlError("client_id: no application has this client id.")
        if request.selling_partner_id not in self.world.sellers:
            raise ControlError("selling_partner_id: there is no such seller.")
        code = f"S{secrets.token_urlsafe(24)}"
        expires_at = self.clock.wall() + CODE_LIFE_SECONDS
        self.world.codes[code] = AuthorizationCode(
            request.client_id, request.selling_partner_id, expires_at, withdrawn=request.withdrawn
        )
        return json_response({"code": code, "expires_in": CODE_LIFE_SECONDS})

    def _set_consent(self, body: bytes) -> Response:
        request = _parse(bodies.Consent, body)
        if request.selling_partner_id not in (None, *self.world.sellers):
            raise ControlError("selling_partner_id: there is no such seller.")
        self.world.signed_in = request.selling_partner_id
        return json_response({})

    def _add_fault(self, body: bytes) -> Response:
        request = _parse(bodies.NewFault, body)
        if request.kind.endswith("given") != (request.response is not None):
            raise ControlError("response: belongs to the kinds given, lwa_given and sts_given, which need it.")
        operation = None
        if request.operation is not None:
            operation = self._part(request.kind, request.operation)
        fault = Fault(
            fault_id=self.faults.next_id(),
            kind=request.kind,
            operation=operation,
            remaining=request.count,
            probability=request.probability,
            delay_seconds=request.delay_seconds,
            retry_after_seconds=request.retry_after_seconds,
            executed=request.executed,
            response=request.response.respond() if request.response else None,
        )
        self.faults.add(fault)
        return json_response(fault.document())

    def _remove_fault(self, text: str) -> Response:
        if not text.isascii() or not text.isdecimal() or not self.faults.remove(int(text)):
            raise ControlError("id: there is no such fault.", 404)
        return json_response({"removed": 1})

    def _orders(self, selling_partner_id: str) -> Response:
        seller = self.world.sellers.get(selling_partner_id)
        if seller is None:
            raise ControlError("selling_partner_id: there is no such seller.", 404)
        orders = [
            {
                "order_id": order.order_id,
                "marketplace_id": order.marketplace_id,
                "purchase_time": iso(order.purchased_at),
                "update_time": iso(order.updated_at),
                "status": order.status,
                "fulfilled_by": "amazon" if order.by_amazon else "merchant",
                "total": order.total,
                "currency": order.currency,
                "items": len(order.items),
            }
            for order in self.orders.orders(seller)
        ]
        return json_response({"orders": orders})

    def _part(self, kind: str, name: str) -> str:
        """Return the operation, or LWA's grant type, to which a fault is restricted."""
        if kind in LWA_KINDS and name in GRANT_TYPES:
            return name
        if kind not in SP_API_KINDS:
            raise ControlError(f"operation: the kind {kind} has none of this name.")
        return self._operation(name)

    def _operation(self, name: str) -> str:
        operation = self.catalogue.get(name)
        if operation is None:
            raise ControlError(f"operation: {name:.80} is no operation of the catalogue, or more than one.")
        return operation.name


def _parse(model: type[B], body: bytes) -> B:
    """Parse a body into its model; an empty body counts as an empty object."""
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        raise ControlError("body: this is not JSON.") from None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ControlError(sentence(error)) from None
