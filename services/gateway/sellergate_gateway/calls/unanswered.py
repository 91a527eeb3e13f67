"""The error of an attempt without a complete response: whether it was sent decides, and whether repeating it does harm."""

from typing import NoReturn

from sellergate_common.errors import OutcomeUnknown, OutOfTime, QuotaExceeded, Reason, SellergateError, Unavailable

from sellergate_gateway.spapi.http import ConnectError, ResponseLost

# Shorter than this, the time that is left explains why no response came.
SHORT_SECONDS = 0.1


def unsent(error: ConnectError | ResponseLost, operation: str) -> SellergateError:
    """Return the error of an attempt of which nothing reached Amazon."""
    if error.own:
        return Unavailable(
            f"The gateway cannot open a connection ({error}): it lacks descriptors, a resolver or trusted certificates."
            " Nothing was sent. Try again.",
            metadata={"operation": operation, "dependency": "gateway"},
            retry_after=1.0,
        )
    return Unavailable(
        f"Amazon cannot be reached ({error}); nothing was sent. Try again.",
        reason=Reason.AMAZON_UNAVAILABLE,
        metadata={"operation": operation},
        retry_after=1.0,
    )


def unfinished(error: Exception, operation: str, *, idempotent: bool, left: float) -> SellergateError:
    """Return the error of an attempt that was sent, and whose response is missing or cannot be read.

    `left` are the seconds until the caller's deadline.
    """
    metadata = {"operation": operation}
    if not idempotent:
        return OutcomeUnknown(
            f"Amazon's answer to this write did not arrive ({error}). It may have been done; look before you repeat it.",
            reason=Reason.AMAZON_OUTCOME_UNKNOWN,
            metadata=metadata,
        )
    if left <= SHORT_SECONDS:
        return OutOfTime(f"Amazon did not answer in time ({error}); give the call more time.", metadata=metadata)
    return Unavailable(
        f"Amazon's answer did not arrive ({error}). Try again.",
        reason=Reason.AMAZON_UNAVAILABLE,
        metadata=metadata,
        retry_after=1.0,
    )


def refused_by_quota(error: QuotaExceeded, operation: str) -> QuotaExceeded:
    """Return the error of a call that quota refused. `operation` is empty where the catalogue lacks it."""
    guess = " The catalogue lacks the operation: its quota is a guess until Amazon reports a rate."
    message = error.message if operation else error.message + guess
    return QuotaExceeded(message, retry_after=error.retry_after, metadata={**error.metadata, "operation": operation})


def raise_error(error: SellergateError) -> NoReturn:
    """Raise an error that ends a call."""
    raise error
