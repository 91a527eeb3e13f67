"""Sends one attempt of a call, and notes for the breakers what its end says of Amazon's host."""

from collections.abc import Awaitable, Callable

from sellergate_amazon.reading import Unreadable

from sellergate_gateway.calls.breakers import Breakers, End
from sellergate_gateway.spapi.http import (
    Amazon,
    AmazonAnswer,
    AmazonRequest,
    FateUnknown,
    NotSent,
    ResponseOversized,
)
from sellergate_gateway.spapi.response import Kind, Reading, read

# A caller that gives less time than this is the cause when it runs out.
PATIENT_SECONDS = 5.0
Reader = Callable[[AmazonAnswer], Awaitable[None]]
"""Reads a success that its caller has to understand. Raises Unreadable."""


async def send(
    amazon: Amazon,
    breakers: Breakers,
    host: str,
    user: str,
    request: AmazonRequest,
    seconds: float,
    reader: Reader | None = None,
) -> tuple[AmazonAnswer, Reading]:
    """Send a request that has entered the breaker. Raises NotSent, FateUnknown, ResponseOversized.

    A success that its reader cannot read is no response: FateUnknown.
    """
    end = End.UNKNOWN
    try:
        answer = await amazon.send(request, seconds)
        reading = read(answer)
        end = End.BROKEN if reading.kind is Kind.BROKEN and reading.error is None else End.ANSWERED
    except ResponseOversized:
        end = End.ANSWERED
        raise
    except (NotSent, FateUnknown) as error:
        end = _end_of(error, seconds)
        raise
    finally:
        breakers.ended(host, user, end)
    if reader is not None and reading.kind is Kind.SUCCESS:
        try:
            await reader(answer)
        except Unreadable as error:
            raise FateUnknown(f"its body cannot be read: {error}") from None
    return answer, reading


def _end_of(error: NotSent | FateUnknown, seconds: float) -> End:
    if error.own or (error.late and seconds < PATIENT_SECONDS):
        return End.UNKNOWN
    # Time may also run out before a connection is made while this process has all of its connections in use.
    return End.UNREACHABLE if isinstance(error, NotSent) and not error.late else End.BROKEN
