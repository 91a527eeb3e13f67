"""Writing requests: one response for each, also where the same request is repeated."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from sellergate_common.context import current_caller

from sellergate_account.changes.idempotency import Once, RepeatedRequest, carrying_out, digest_of
from sellergate_account.model import KeyedRequest

_Response = TypeVar("_Response", bound=Message)
_Result = TypeVar("_Result")


def _now() -> datetime:
    return datetime.now(UTC)


async def once(
    request: Any,
    kind: type[_Response],
    change: Callable[[], Awaitable[_Result]],
    respond: Callable[[_Result], _Response],
    now: Callable[[], datetime] = _now,
) -> _Response:
    """Carry a request out and return its response of a `kind`. A repeat under one idempotency_key returns the first response.

    The response is made before COMMIT. Raises InvalidRequest where the key belongs to another request, and the errors of `change`.
    """
    made: list[_Response] = []

    def render(result: _Result) -> bytes:
        made[:] = [respond(result)]
        return made[0].SerializeToString()

    attempt = Once(_keyed(request), render, now)
    with carrying_out(attempt):
        try:
            result = await change()
        except RepeatedRequest as repeated:
            return kind.FromString(repeated.response)
    return made[0] if made else respond(result)


def _keyed(request: Any) -> KeyedRequest | None:
    if not request.idempotency_key:
        return None
    caller, method = current_caller(), request.DESCRIPTOR.full_name
    unnamed = type(request)()
    unnamed.CopyFrom(request)
    unnamed.ClearField("idempotency_key")
    digest = digest_of(method, unnamed.SerializeToString(deterministic=True))
    return KeyedRequest(request.idempotency_key, caller.identity, caller.on_behalf_of, method, digest)
