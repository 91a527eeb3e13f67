"""Writes with an idempotency key: retried while their outcome is unknown, and executed once."""

import asyncio
import random
import time
import uuid
from typing import Any, TypeVar

import grpc
from sellergate_common.context import time_left
from sellergate_common.errors import (
    CallCancelled,
    InternalError,
    OutcomeUnknown,
    OutOfTime,
    QuotaExceeded,
    SellergateError,
    Unavailable,
)
from sellergate_common.rpc.channel import DEFAULT_SECONDS, invoke, is_transport_failure
from sellergate_common.status import BEGUN

from sellergate_client.rpc.outcomes import connect_channel
from sellergate_client.rpc.retries import retry_until

ATTEMPTS = 3
FIRST_BACKOFF_SECONDS = 0.1
# Errors that a service raises before it looks up the key: they say nothing about an earlier attempt.
_BEFORE_LOOKUP = (Unavailable, OutOfTime, CallCancelled, QuotaExceeded, InternalError)

_Response = TypeVar("_Response")


def new_key() -> str:
    """Return an idempotency key for one logical request."""
    return str(uuid.uuid4())


async def write(
    channel: grpc.aio.Channel,
    method: "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]",
    request: Any,
    *,
    dependency: str,
    on_behalf_of: str = "",
    serving: bool | None = None,
) -> _Response:
    """Send a write within the current call's deadline, or 30 seconds, under its idempotency_key or a new one.

    An attempt whose outcome is unknown is followed by another one under the same key, and one that was refused under overload by
    another one when the service says; `serving` as of `retry_until`. Raises SellergateError: Unavailable where nothing was sent,
    OutcomeUnknown where an attempt was sent and no later one found its outcome.
    """
    end = time.monotonic() + time_left(DEFAULT_SECONDS)
    keyed = type(request)()
    keyed.CopyFrom(request)
    keyed.idempotency_key = request.idempotency_key or new_key()
    unknown: SellergateError | None = None

    async def send_once() -> _Response:
        left = end - time.monotonic()
        return await invoke(method, keyed, dependency=dependency, seconds=left, on_behalf_of=on_behalf_of)

    for attempt in range(1, ATTEMPTS + 1):
        sent = False
        try:
            await connect_channel(channel, dependency, end - time.monotonic())
            sent = True
            return await retry_until(send_once, service=dependency, end=end, serving=serving)
        except SellergateError as error:
            if sent and (isinstance(error, OutcomeUnknown) or is_transport_failure(error) or _had_begun(error)):
                unknown = error
            elif unknown is None or not isinstance(error, _BEFORE_LOOKUP):
                raise
        pause = random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt)  # noqa: S311  (jitter, not a secret)
        if attempt == ATTEMPTS or pause >= end - time.monotonic():
            break
        await asyncio.sleep(pause)
    assert unknown is not None  # noqa: S101  (every other error was raised)
    raise OutcomeUnknown(
        f"{unknown.message} The write may have been executed; repeat it with the same idempotency_key, or check first.",
        metadata=unknown.metadata | {"idempotency_key": keyed.idempotency_key},
    )


def _had_begun(error: SellergateError) -> bool:
    """Return whether the deadline passed while the service processed the call, so that its outcome is unknown."""
    return isinstance(error, OutOfTime) and BEGUN[0] in error.metadata
