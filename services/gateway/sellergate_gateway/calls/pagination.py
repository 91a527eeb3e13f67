"""Page after page by each family's own rule: where the next token stands, how it is sent, and what may accompany it.

Rules from Amazon's models: most want all parameters again beside the token; reports and feeds the token alone; Fulfillment Inbound
v0 its QueryType; Replenishment counts in the body.
"""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote_plus

from sellergate_amazon import reading
from sellergate_amazon.operations import Catalogue, Operation
from sellergate_common.errors import InvalidRequest, Reason, Unavailable

from sellergate_gateway.calls.pipeline import Calls, Done
from sellergate_gateway.spapi.http import AmazonAnswer
from sellergate_gateway.spapi.request import SpApiCall, resolve
from sellergate_gateway.spapi.response import json_of

MOST_TOKEN_CHARACTERS = 8192


class Pages:
    """Follows the pages of a call."""

    def __init__(self, calls: Calls, catalogue: Catalogue) -> None:
        self._calls = calls
        self._catalogue = catalogue

    async def follow(self, call: SpApiCall, user: str, most: int) -> AsyncGenerator[Done, None]:
        """Yield page after page, `most` of them (0: all), each within quota. Raises InvalidRequest, and what a call raises.

        In AS_IS a refusal is the last page. Tokens that come again end in Unavailable: Amazon goes round in a circle.
        """
        target = resolve(call, self._catalogue)
        operation = target.operation
        if operation is None or not (operation.paginated_by or operation.pages_in_body):
            raise InvalidRequest.of_field("call", "names an operation without pages; make it by Call")
        seen, pages, query = set[str](), 0, target.query
        while True:
            done = await self._calls.make(call, user)
            # Before the page is handed on: its reader may take its body away.
            token, unreadable = _token_after(operation, done.answer, call.body)
            yield done
            pages += 1
            if unreadable is not None:
                raise unreadable
            if token is None or pages == most:
                return
            if token in seen:
                raise Unavailable(
                    f"Amazon's pages go round in a circle: the token after page {pages} has been there before.",
                    reason=Reason.AMAZON_UNAVAILABLE,
                    metadata={"operation": operation.name},
                )
            seen.add(token)
            call = _following(call, operation, query, token)


def _token_after(operation: Operation, answer: AmazonAnswer, body: bytes) -> tuple[str | None, Unavailable | None]:
    try:
        return next_token(operation, answer, body), None
    except Unavailable as error:
        return None, error.with_traceback(None)


def next_token(operation: Operation, answer: AmazonAnswer, body: bytes) -> str | None:
    """Return what asks for the page after this one; None after the last, or where the answer is a refusal. Raises Unavailable."""
    if answer.status // 100 != 2:  # noqa: PLR2004  (the class of success)
        return None
    try:
        document = json_of(answer)
        if operation.pages_in_body:
            return _next_offset(document, body)
        *path, last = (operation.next_token_path or "").split(".")
        for name in path:
            document = document.get(name) if isinstance(document, dict) else None
        token = document.get(last) if isinstance(document, dict) else None
        return reading.text_in(document, last, MOST_TOKEN_CHARACTERS) if isinstance(token, str) and token else None
    except reading.Unreadable as error:
        # To take it for the last page would lose all that follow.
        raise Unavailable(
            f"Amazon's page cannot be read ({error}), so that the pages after it are not known. Ask for smaller pages.",
            reason=Reason.AMAZON_UNAVAILABLE,
            metadata={"operation": operation.name},
        ) from None


def _following(call: SpApiCall, operation: Operation, query: str, token: str) -> SpApiCall:
    """Return the call of the page that `token` stands for; `query` is that of the first page."""
    if operation.pages_in_body:
        body = json.loads(call.body)
        body["pagination"] = {**body.get("pagination", {}), "offset": int(token)}
        return replace(call, body=json.dumps(body).encode())
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
    return replace(call, raw_query="&".join(parameters), query=None)


def _next_offset(document: Any, body: bytes) -> str | None:
    try:
        asked = json.loads(body)["pagination"]
        following = int(asked.get("offset", 0)) + int(asked["limit"])
        return str(following) if following < int(document["pagination"]["totalResults"]) else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
