"""Pagination by the rules of each API family: the place of the next token, and the parameters sent with it.

Rules from Amazon's models: most operations need all parameters again with the token; reports and feeds only the token;
Fulfillment Inbound v0 its QueryType, for the items of one shipment at the operation for all items; Replenishment has an offset in
the body, and Support its token.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote, unquote_plus

from sellergate_amazon import parsing
from sellergate_amazon.marketplaces import marketplace_by_code
from sellergate_amazon.operations import Catalogue, Operation
from sellergate_common.errors import InvalidRequest, Reason, Unavailable

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.calls.state import CallResult
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import SpApiCall, resolve
from sellergate_gateway.spapi.response import outline_of

MOST_TOKEN_CHARACTERS = 8192
LARGE_BYTES = 256 * 1024
"""Larger bodies are parsed in a thread, so that they do not block the event loop."""
Outline = dict[str, Any] | parsing.ParseError
RunDetached = Callable[[Callable[[], Outline]], Awaitable[Outline]]
# A body with only these members holds errors and is not a page, even with a status of success.
_OF_ERRORS = frozenset({"errors", "code", "message", "details"})


class Pages:
    """The pages of a call. `detached` runs long work in a thread, one piece after another."""

    def __init__(self, calls: Calls, catalogue: Catalogue, detached: RunDetached) -> None:
        self._calls = calls
        self._catalogue = catalogue
        self._detached = detached

    async def follow(self, call: SpApiCall, user: str, most: int) -> AsyncGenerator[CallResult, None]:
        """Yield pages, at most `most` (0: all), each within quota. Raises InvalidRequest, and what a call raises.

        A page that cannot be parsed counts as a response that did not arrive, and is never the last page. One that is too large
        to be parsed is yielded before Unavailable is raised. In AS_IS mode a refusal is the last page. A repeated token raises
        Unavailable, since Amazon's pages form a cycle.
        """
        target = resolve(call, self._catalogue)
        operation = target.operation
        if operation is None or not (operation.paginated_by or operation.pages_in_body):
            raise InvalidRequest.of_field("call", "names an operation without pages; use the RPC Call")
        if operation.pages_in_body:
            _check_body(operation, call.body)
        seen, pages, query = set[str](), 0, target.query
        while True:
            page = _Page(operation, call.body, self._detached)
            result = await self._calls.make(call, user, page.read)
            yield result
            pages += 1
            if page.too_large:
                raise _too_large(page.too_large, operation)
            token = page.token
            if token is None or pages == most:
                return
            if token in seen:
                raise Unavailable(
                    f"Amazon's pages form a cycle: the token after page {pages} is a repeated one. Try again later.",
                    reason=Reason.AMAZON_UNAVAILABLE,
                    metadata={"operation": operation.name},
                )
            seen.add(token)
            call = self._following(call, operation, query, token, result.marketplace)

    def _following(self, call: SpApiCall, operation: Operation, query: str, token: str, marketplace: str) -> SpApiCall:
        """Return the call of the page with this `token`; `query` is that of the first page."""
        if operation.pages_in_body:
            return replace(call, body=_next_body(call.body, operation.paginated_by, token))
        query = _next_query(operation, query, token)
        following = self._catalogue.get(operation.next_operation) if operation.next_operation else None
        if following is None:
            return replace(call, raw_query=query, query=None)
        # The first page may do without the marketplace, which the operation of the next ones requires.
        home = marketplace_by_code(marketplace)
        if (
            home is not None
            and "query:MarketplaceId!" in (following.parameters or ())
            and not _names(query, "MarketplaceId")
        ):
            query += f"&MarketplaceId={home.id}"
        method, path = following.method, following.path
        return replace(call, operation="", path_params=None, method=method, path=path, raw_query=query, query=None)


@dataclass(slots=True)
class _Page:
    """The page to fetch. `token` requests the page after it; None: it is the last. `too_large`: why it was not parsed."""

    operation: Operation
    request_body: bytes
    detached: RunDetached
    token: str | None = None
    too_large: str = ""

    async def read(self, response: AmazonResponse) -> None:
        """Parse what a page says about the next one. Raises ParseError."""
        outline = partial(_outline, response)
        found = await self.detached(outline) if len(response.body) > LARGE_BYTES else outline()
        if isinstance(found, parsing.TooLarge):
            self.too_large = str(found)
        elif isinstance(found, parsing.ParseError):
            raise found
        else:
            self.token = next_token(self.operation, found, self.request_body)


def _outline(response: AmazonResponse) -> Outline:
    """Return the outline of a page, or why there is none. An error raised in a thread would keep the body in memory."""
    try:
        return outline_of(response)
    except parsing.ParseError as error:
        return type(error)(str(error))


def next_token(operation: Operation, page: dict[str, Any], request_body: bytes) -> str | None:
    """Return the token of the next page; None after the last. Raises ParseError for a body that is not a page."""
    given = {name for name, value in page.items() if value is not None}
    if given and given <= _OF_ERRORS:
        raise parsing.ParseError("it holds no page")
    _check_list(operation, page)
    if operation.pages_in_body and not operation.next_token_path:
        return _next_offset(page, request_body)
    *path, last = (operation.next_token_path or "").split(".")
    for name in path:
        inner = page.get(name)
        if inner is None:
            return None
        page = parsing.object_of(inner)
    return None if page.get(last) in (None, "") else parsing.text_in(page, last, MOST_TOKEN_CHARACTERS)


def _check_list(operation: Operation, page: dict[str, Any]) -> None:
    """Check that a page has its list, also where that is empty. Raises ParseError.

    Amazon's models require a payload and most lists, and its responses have them. Where a model lets a page be without its list
    (Vendor Orders, for one), a page without it is an empty one.
    """
    path = operation.page_list or ("payload" if operation.envelope == "payload" else "")
    found: Any = page
    for name in filter(None, path.split(".")):
        found = parsing.object_of(found).get(name)
    if not isinstance(found, dict if path == "payload" else dict | list):
        raise parsing.ParseError(f"it has no {path}")


def _too_large(why: str, operation: Operation) -> Unavailable:
    return Unavailable(
        f"Amazon's page cannot be read ({why}), so that the pages after it are unknown. Request smaller pages.",
        reason=Reason.AMAZON_UNAVAILABLE,
        metadata={"operation": operation.name},
    )


def _next_body(body: bytes, member: str | None, token: str) -> bytes:
    """Return the body of the next page, with the token in `member`, or without a member with the token as the offset."""
    document = json.loads(body)
    if member is None:
        document["pagination"] = {**document.get("pagination", {}), "offset": int(token)}
    else:
        document[member] = token
    return json.dumps(document).encode()


def _next_query(operation: Operation, query: str, token: str) -> str:
    """Return the query of the next page; `query` is that of the first page."""
    name, kept = operation.paginated_by or "", operation.next_keeps
    added = {**dict(operation.next_sets), name: token}
    parameters = [
        parameter
        for parameter in query.split("&")
        if parameter
        and (known := unquote_plus(parameter.partition("=")[0])) not in added
        and (kept is None or known in kept)
    ]
    parameters += [f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in added.items()]
    return "&".join(parameters)


def _names(query: str, name: str) -> bool:
    """Return whether a query has a parameter."""
    return any(unquote_plus(parameter.partition("=")[0]) == name for parameter in query.split("&"))


def _check_body(operation: Operation, body: bytes) -> None:
    """Check the body of the first page's request, from which the next bodies are made. Raises InvalidRequest."""
    if operation.paginated_by is None:
        _window(body)
        return
    try:
        is_object = isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise InvalidRequest.of_field(
            "call.body", "must be a JSON object, which the token of the next page is added to"
        )


def _next_offset(page: dict[str, Any], request_body: bytes) -> str | None:
    """Return the offset of the next page. Raises ParseError for a page without the number of results."""
    offset, limit = _window(request_body)
    total = parsing.object_of(page.get("pagination")).get("totalResults")
    if not isinstance(total, int):
        raise parsing.ParseError("it names no number of results")
    return str(offset + limit) if offset + limit < total else None


def _window(body: bytes) -> tuple[int, int]:
    """Return the offset and limit of a request body. Raises InvalidRequest."""
    try:
        requested = json.loads(body)["pagination"]
        offset, limit = int(requested.get("offset", 0)), int(requested["limit"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        offset = limit = 0
    if offset < 0 or limit <= 0:
        raise InvalidRequest.of_field("call.body", "must be JSON with pagination.limit, a whole number above 0")
    return offset, limit
