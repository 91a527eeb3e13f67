"""A model's description of an operation's successful response: status, shape of the body, place of the next page token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sellergate_amazon.models.files import Model

# The places of a token in the models: beside the data, or in its own object.
_PLACES = ((), ("payload",), ("pagination",), ("payload", "pagination"))
_TOKENS = ("nextToken", "NextToken", "nextPageToken", "paginationToken", "nextTokenForLineItems")
# The query parameters that accept such a token.
_REQUEST_NAMES = ("nextToken", "NextToken", "pageToken", "nextPageToken", "paginationToken", "nextTokenForLineItems")


@dataclass(frozen=True, slots=True)
class Success:
    """The first 2xx response of an operation."""

    status: int
    schema: Mapping[str, Any] | None


def success(model: Model, operation: Mapping[str, Any]) -> Success | None:
    """Return the first 2xx response in the order of the statuses, or None."""
    for status in sorted(operation["responses"]):
        if len(status) == 3 and status.isdigit() and status[0] == "2":  # noqa: PLR2004
            response = model.resolved(operation["responses"][status])
            return Success(int(status), _schema(response))
    return None


def envelope(model: Model, found: Success) -> str | None:
    """Return "payload", "array", "bare", or None where the response has no body."""
    if found.schema is None:
        return None
    schema = model.resolved(found.schema)
    if schema.get("type") == "array":
        return "array"
    return "payload" if "payload" in properties(model, schema) else "bare"


def pagination(model: Model, names: list[str], found: Success) -> tuple[str, str] | None:
    """Return the query parameter of the next page token, and the token's path in the response ("payload.NextToken").

    `names` are the operation's query parameters. Return None if the model lacks either.
    """
    request_name = next((name for name in _REQUEST_NAMES if name in names), None)
    place = token_place(model, found) if request_name is not None else None
    return (request_name, place) if request_name is not None and place is not None else None


def token_place(model: Model, found: Success) -> str | None:
    """Return the path of the token of a next page in the response ("payload.NextToken"), or None."""
    if found.schema is None:
        return None
    for place in _PLACES:
        schema: Mapping[str, Any] | None = model.resolved(found.schema)
        for step in place:
            inner = properties(model, schema).get(step) if schema is not None else None
            schema = model.resolved(inner) if inner is not None else None
        held = properties(model, schema) if schema is not None else {}
        token = next((token for token in _TOKENS if token in held), None)
        if token is not None:
            return ".".join((*place, token))
    return None


def page_list(model: Model, found: Success) -> str | None:
    """Return the path of the list that a page always has ("payload.Orders"), or None where the model does not require one."""
    if found.schema is None:
        return None
    place, schema = tuple[str, ...](), model.resolved(found.schema)
    if "payload" in properties(model, schema):
        place, schema = ("payload",), model.resolved(properties(model, schema)["payload"])
    members = properties(model, schema)
    required = sorted(_required(model, schema) & set(members))
    lists = [name for name in required if model.resolved(members[name]).get("type") == "array"]
    return ".".join((*place, lists[0])) if lists else None


def properties(model: Model, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of an object, including those of `allOf`."""
    found: dict[str, Any] = {}
    for part in schema.get("allOf", ()):
        found |= properties(model, model.resolved(part))
    return found | dict(schema.get("properties", {}))


def _required(model: Model, schema: Mapping[str, Any]) -> set[str]:
    """Return the names of an object's required properties, including those of `allOf`."""
    return set(schema.get("required", ())).union(
        *(_required(model, model.resolved(part)) for part in schema.get("allOf", ()))
    )


def _schema(response: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of a response: directly in OpenAPI 2; in OpenAPI 3 by content type, JSON first."""
    content = response.get("content", {})
    media_types = sorted(content, key=lambda name: (name != "application/json", name))
    holders = (response, *(content[media_type] for media_type in media_types))
    return next((holder["schema"] for holder in holders if "schema" in holder), None)
