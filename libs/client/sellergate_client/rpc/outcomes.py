"""The outcome of a call that is not safe to repeat, after its connection broke."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from sellergate_common.errors import OutcomeUnknown, Reason, SellergateError, Unavailable
from sellergate_common.rpc.channel import is_transport_failure

CONNECT_SECONDS = 2.0


@contextmanager
def transport_outcome(reason: Reason) -> Iterator[None]:
    """Convert a transport failure of the body into OutcomeUnknown: the request was sent, and its outcome is unknown."""
    try:
        yield
    except SellergateError as error:
        if not is_transport_failure(error):
            raise
        raise OutcomeUnknown(
            f"{error.message} The call may have been executed; check before you repeat it.",
            reason=reason,
            metadata=error.metadata,
        ) from None


async def connect_channel(channel: grpc.aio.Channel, service: str, seconds: float) -> None:
    """Wait until `channel` has a connection. Raises Unavailable when there is none within `seconds`: nothing was sent."""
    try:
        found = await is_connected(channel, min(seconds, CONNECT_SECONDS))
    except grpc.aio.BaseError:  # the channel was closed
        found = False
    if not found:
        raise Unavailable(
            f"The {service} service cannot be reached; nothing was sent. Try again.",
            metadata={"dependency": service},
            retry_after=1.0,
        )


async def is_connected(channel: grpc.aio.Channel, seconds: float) -> bool:
    """Return whether `channel` has a connection, or gets one within `seconds`."""
    end = time.monotonic() + seconds
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                await channel.wait_for_state_change(state)
        except TimeoutError:
            return False
        state = channel.get_state(try_to_connect=True)
    return True
