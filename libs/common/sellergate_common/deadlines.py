"""The layer that gives every call a deadline: the caller's less what this hop keeps, or a default."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sellergate_common.context import HOP_SECONDS, CallContext
from sellergate_common.errors import OutOfTime

UNARY_SECONDS = 30.0
STREAM_SECONDS = 3600.0


async def within_deadline(
    call: CallContext, time_remaining: float | None, body: Callable[[], Awaitable[Any]], *, streams: bool
) -> Any:
    """Run `body` within a call's time. `time_remaining` is what the caller gave, in seconds; None: nothing was given.

    Raises OutOfTime when the time is over.
    """
    given = (STREAM_SECONDS if streams else UNARY_SECONDS) if time_remaining is None else time_remaining - HOP_SECONDS
    if given <= 0:
        raise OutOfTime("The deadline leaves no time to do anything; give the call more time.")
    call.deadline = time.monotonic() + given
    try:
        async with asyncio.timeout(given):
            return await body()
    except TimeoutError:
        raise OutOfTime("The call ran out of time; give it more, or ask for less at once.") from None
