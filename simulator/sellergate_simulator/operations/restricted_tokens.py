"""Tokens 2021-03-01: createRestrictedDataToken.

Rules from Amazon's model tokens_2021-03-01.json and its guide to the Tokens API: up to 50 resources, paths specific or
with braces, getReportDocument always specific, data elements only for three operations of Orders v0.
"""

from typing import Any

from sellergate_amazon.operations import Catalogue

from sellergate_simulator.http.responses import Response, denied, invalid_input, json_response
from sellergate_simulator.identity.tokens import AccessToken, AccessTokens, RestrictedResource
from sellergate_simulator.spapi.calls import Call, Handler, text_field
from sellergate_simulator.state import World

_MOST_RESOURCES = 50
_LONGEST_LIFE_SECONDS = 3600.0


class RestrictedTokens:
    """The issuer of Restricted Data Tokens."""

    def __init__(self, world: World, tokens: AccessTokens, catalogue: Catalogue) -> None:
        self._world = world
        self._tokens = tokens
        self._catalogue = catalogue

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by operation name."""
        return {"tokens/2021-03-01/createRestrictedDataToken": self._create}

    def _create(self, call: Call) -> Response:
        if call.token.resources:
            raise denied()
        named = call.json_object().get("restrictedResources")
        if not isinstance(named, list) or not 1 <= len(named) <= _MOST_RESOURCES:
            raise invalid_input(f"restrictedResources is required and holds 1 to {_MOST_RESOURCES} resources.")
        resources = tuple(self._resource(item) for item in named)
        life = min(_LONGEST_LIFE_SECONDS, self._world.token_life_seconds)
        token = AccessToken(
            client_id=call.token.client_id,
            application_id=call.token.application_id,
            selling_partner_id=call.token.selling_partner_id,
            scope=None,
            expires_at=call.now + life,
            resources=resources,
            grant=call.token.grant,
        )
        return json_response({"restrictedDataToken": self._tokens.issue(token, call.now), "expiresIn": int(life)})

    def _resource(self, item: Any) -> RestrictedResource:
        if not isinstance(item, dict):
            raise invalid_input("Each of restrictedResources is an object with method and path.")
        method, path = text_field(item, "method"), text_field(item, "path")
        found = self._catalogue.match(method, path)
        if found is None or not found.operation.restricted:
            raise invalid_input(f"The path {path:.100} with the method {method:.10} is not a restricted resource.")
        operation = found.operation
        if operation.restricted_basis == "conditional" and "{" in path:
            raise invalid_input(f"The path {path:.100} must be specific.")
        elements = item.get("dataElements", [])
        allowed = operation.restricted_data_elements
        if not isinstance(elements, list) or any(element not in allowed for element in elements):
            raise invalid_input(f"Invalid dataElements for {path:.100}.")
        return RestrictedResource(method, path, frozenset(elements))
