"""Sends one attempt of a call, and notes for the breakers what its end says of Amazon's host."""

from collections.abc import Awaitable, Callable

from sellergate_amazon.parsing import ParseError

from sellergate_gateway.calls.breakers import Breakers, End
from sellergate_gateway.spapi.http import (
    Amazon,
    AmazonRequest,
    AmazonResponse,
    ConnectError,
    ResponseLost,
    ResponseOversized,
)
from sellergate_gateway.spapi.response import Classification, Kind, classify

# A caller that gives less time than this is the cause when it runs out.
PATIENT_SECONDS = 5.0
Reader = Callable[[AmazonResponse], Awaitable[None]]
"""Reads a success that its caller has to understand. Raises ParseError."""


async def send(
    amazon: Amazon,
    breakers: Breakers,
    host: str,
    user: str,
    request: AmazonRequest,
    seconds: float,
    reader: Reader | None = None,
) -> tuple[AmazonResponse, Classification]:
    """Send a request that has entered the breaker. Raises ConnectError, ResponseLost, ResponseOversized.

    A success that its reader cannot read is no response: ResponseLost.
    """
    end = End.UNKNOWN
    try:
        response = await amazon.send(request, seconds)
        reading = classify(response)
        end = End.BROKEN if reading.kind is Kind.SERVER_ERROR and reading.error is None else End.ANSWERED
    except ResponseOversized:
        end = End.ANSWERED
        raise
    except (ConnectError, ResponseLost) as error:
        end = _end_of(error, seconds)
        raise
    finally:
        breakers.record_result(host, user, end)
    if reader is not None and reading.kind is Kind.SUCCESS:
        try:
            await reader(response)
        except ParseError as error:
            raise ResponseLost(f"its body cannot be read: {error}") from None
    return response, reading


def _end_of(error: ConnectError | ResponseLost, seconds: float) -> End:
    if error.own or (error.late and seconds < PATIENT_SECONDS):
        return End.UNKNOWN
    # Time may also run out before a connection is made while this process has all of its connections in use.
    return End.UNREACHABLE if isinstance(error, ConnectError) and not error.late else End.BROKEN
