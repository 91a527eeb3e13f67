"""The sending of one attempt, and the record of its end for the breakers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sellergate_amazon.parsing import ParseError

from sellergate_gateway.calls.breakers import Breakers, End
from sellergate_gateway.calls.outcomes import Gap, Seen
from sellergate_gateway.spapi.http import (
    Amazon,
    AmazonRequest,
    AmazonResponse,
    ConnectError,
    ResponseLost,
    ResponseOversized,
)
from sellergate_gateway.spapi.response import Classification, Kind, classify

# Seconds that a call reserves after Amazon's response, so that its error still reaches the caller.
RESERVE_SECONDS = 0.050
# If a caller gives fewer seconds than this, a missing response is the caller's fault.
PATIENT_SECONDS = 5.0
# With fewer seconds than this left, the caller's deadline explains a missing response.
SHORT_SECONDS = 0.1
Reader = Callable[[AmazonResponse], Awaitable[None]]
"""A parser of a success that the caller must understand. Raises ParseError."""
_OVER = "the deadline of the call had passed"
_UNREAD = Classification(Kind.SUCCESS, None)


@dataclass(slots=True)
class AttemptResult:
    """The end of one attempt, as a plain value. `why` says why no response arrived; it holds no URL."""

    seen: Seen
    response: AmazonResponse | None = None
    classification: Classification = _UNREAD
    why: str = ""


async def send(
    amazon: Amazon,
    breakers: Breakers,
    host: str,
    user: str,
    request: AmazonRequest,
    seconds: float,
    left: Callable[[], float],
    reader: Reader | None = None,
) -> AttemptResult:
    """Send a request that has entered the breaker, and return the end of the attempt.

    A success that `reader` cannot parse counts as a response that did not arrive. If the caller's deadline passes after the
    request was sent, the end is LATE. Raises CancelledError if the caller has disconnected, or nothing was sent.
    """
    end = End.UNKNOWN
    try:
        response = await amazon.send(request, seconds)
        found = classify(response)
        unclear = found.error is None and found.kind in (Kind.SERVER_ERROR, Kind.TIMED_OUT)
        end = End.BROKEN if unclear else End.RESPONSE
    except ResponseOversized as error:
        end = End.RESPONSE
        return AttemptResult(Gap.TOO_LARGE, error.response)
    except (ConnectError, ResponseLost) as error:
        end = _end_of(error, seconds)
        return AttemptResult(_gap_of(error, left()), why=str(error))
    except asyncio.CancelledError:
        if not _ran_out_of_time(request, left):
            raise
        return AttemptResult(Gap.LATE, why=_OVER)
    finally:
        breakers.record_result(host, user, end)
    if reader is not None and found.kind is Kind.SUCCESS:
        try:
            await reader(response)
        except ParseError as error:
            return AttemptResult(_late_or_lost(left()), why=f"its body cannot be read: {error}")
        except asyncio.CancelledError:
            if not _ran_out_of_time(request, left):
                raise
            return AttemptResult(Gap.LATE, why=_OVER)
    return AttemptResult(found.kind, response, found)


def _ran_out_of_time(request: AmazonRequest, left: Callable[[], float]) -> bool:
    """Return whether a cancelled attempt was sent and ended by its deadline; otherwise the caller has disconnected."""
    return request.sent and left() <= RESERVE_SECONDS


def _gap_of(error: ConnectError | ResponseLost, left: float) -> Gap:
    if isinstance(error, ResponseLost):
        return _late_or_lost(left)
    return Gap.OWN_FAULT if error.own else Gap.NOT_SENT


def _late_or_lost(left: float) -> Gap:
    return Gap.LATE if left <= SHORT_SECONDS else Gap.LOST


def _end_of(error: ConnectError | ResponseLost, seconds: float) -> End:
    if error.own or (error.late and seconds < PATIENT_SECONDS):
        return End.UNKNOWN
    # Time may also run out before a connection is made if all connections of this process are in use.
    return End.UNREACHABLE if isinstance(error, ConnectError) and not error.late else End.BROKEN
