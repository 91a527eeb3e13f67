"""Retries of calls that a service refused under overload: such a call had no effect, so any call may be retried.

A process that is serving a call returns the refusal instead: its own caller retries the whole call, so that only one
process waits.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from sellergate_common.context import current_call, time_left
from sellergate_common.errors import Overloaded
from sellergate_common.rpc.channel import DEFAULT_SECONDS, invoke
from sellergate_common.status import DOMAIN_PREFIX

_Response = TypeVar("_Response")
# The gateway starts a call only after the services behind it have responded: a call that one of them refused was not started.
_BEGINS_LAST = "gateway"


async def retry_until(
    attempt: Callable[[], Awaitable[_Response]],
    *,
    service: str,
    end: float,
    serving: bool | None = None,
    now: Callable[[], float] = time.monotonic,
) -> _Response:
    """Make a call of `service`, and retry it while it is refused under overload, until `end` (by `now`).

    `serving`: raise the first refusal; by default, whether the process is serving a call. Raises SellergateError.
    """
    serves = current_call() is not None if serving is None else serving
    while True:
        try:
            return await attempt()
        except Overloaded as error:
            pause = error.retry_after
            if serves or pause is None or pause >= end - now() or not _did_nothing(error, service):
                raise
        await asyncio.sleep(pause)


async def invoke_with_retries(
    method: "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]",
    request: Any,
    *,
    dependency: str,
    seconds: float = DEFAULT_SECONDS,
    on_behalf_of: str = "",
) -> _Response:
    """Call `method` of `dependency` as `invoke` does, and retry it while it is refused under overload."""
    end = time.monotonic() + min(seconds, time_left(seconds))

    async def attempt() -> _Response:
        left = end - time.monotonic()
        return await invoke(method, request, dependency=dependency, seconds=left, on_behalf_of=on_behalf_of)

    return await retry_until(attempt, service=dependency, end=end)


def _did_nothing(error: Overloaded, service: str) -> bool:
    """Return whether the called service did nothing: it may have done a part before another service refused the rest."""
    return service == _BEGINS_LAST or error.domain == DOMAIN_PREFIX + service
