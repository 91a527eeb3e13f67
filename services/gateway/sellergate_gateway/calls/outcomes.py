"""The table of outcomes: the meaning of an attempt's end for reads and writes. docs/outcomes.md shows it to callers.

A read is an operation that does no harm if Amazon executes it twice; a write is any other. In AS_IS mode any response of Amazon
is the result; the table then only decides whether the call is first sent again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sellergate_common.errors import Reason

from sellergate_gateway.spapi.response import Kind


class Failure(StrEnum):
    """What Amazon has done by the end of a failed attempt."""

    NOT_DONE = "NOT_DONE"
    """Amazon did nothing: nothing was sent, or Amazon says so."""
    UNKNOWN = "UNKNOWN"
    """Amazon may have executed the call."""
    FINAL = "FINAL"
    """Amazon's refusal is final: the same call would be refused again."""


class Gap(StrEnum):
    """The end of an attempt without a complete response."""

    NOT_SENT = "NOT_SENT"
    """No connection was made, and nothing was sent."""
    OWN_FAULT = "OWN_FAULT"
    """This process could not open a connection, and nothing was sent."""
    LOST = "LOST"
    """The request was sent; its response is missing or cannot be read."""
    LATE = "LATE"
    """As LOST, because of the caller's deadline."""
    TOO_LARGE = "TOO_LARGE"
    """Amazon executed the request, and its response is too large to be passed on."""


Seen = Kind | Gap


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row of the table. `read` and `write` are the reasons of the typed error; None is a success."""

    failure: Failure
    read: Reason | None
    write: Reason | None

    def reason(self, *, idempotent: bool) -> Reason | None:
        """Return the reason of the typed error, or None for a success."""
        return self.read if idempotent else self.write

    def is_repeated(self, *, idempotent: bool) -> bool:
        """Return whether the call is sent again while attempts, time, quota and the retry budget last."""
        return self.failure is Failure.NOT_DONE or (self.failure is Failure.UNKNOWN and idempotent)


def _both(failure: Failure, reason: Reason | None) -> Outcome:
    return Outcome(failure, reason, reason)


OUTCOMES: Mapping[Seen, Outcome] = {
    Kind.SUCCESS: _both(Failure.FINAL, None),
    Kind.REFUSED: _both(Failure.FINAL, Reason.AMAZON_REJECTED),
    Kind.NOT_FOUND: _both(Failure.FINAL, Reason.AMAZON_NOT_FOUND),
    Kind.CONFLICT: _both(Failure.FINAL, Reason.AMAZON_CONFLICT),
    # The credentials of these three are replaced, and the call is sent again, before they are final.
    Kind.FORBIDDEN: _both(Failure.FINAL, Reason.AMAZON_DENIED),
    Kind.TOKEN_REFUSED: _both(Failure.FINAL, Reason.AMAZON_DENIED),
    Kind.CREDENTIALS_REFUSED: _both(Failure.FINAL, Reason.AMAZON_DENIED),
    Kind.CLIENT_REFUSED: _both(Failure.FINAL, Reason.LWA_CLIENT_REJECTED),
    Kind.THROTTLED: _both(Failure.NOT_DONE, Reason.AMAZON_QUOTA_EXCEEDED),
    Kind.UNAVAILABLE: _both(Failure.NOT_DONE, Reason.AMAZON_UNAVAILABLE),
    Kind.SERVER_ERROR: Outcome(Failure.UNKNOWN, Reason.AMAZON_UNAVAILABLE, Reason.AMAZON_OUTCOME_UNKNOWN),
    Kind.TIMED_OUT: Outcome(Failure.UNKNOWN, Reason.AMAZON_UNAVAILABLE, Reason.AMAZON_OUTCOME_UNKNOWN),
    Gap.NOT_SENT: _both(Failure.NOT_DONE, Reason.AMAZON_UNAVAILABLE),
    Gap.OWN_FAULT: _both(Failure.NOT_DONE, Reason.DEPENDENCY_UNAVAILABLE),
    Gap.LOST: Outcome(Failure.UNKNOWN, Reason.AMAZON_UNAVAILABLE, Reason.AMAZON_OUTCOME_UNKNOWN),
    Gap.LATE: Outcome(Failure.UNKNOWN, Reason.DEADLINE_EXCEEDED, Reason.AMAZON_OUTCOME_UNKNOWN),
    Gap.TOO_LARGE: _both(Failure.FINAL, Reason.AMAZON_RESPONSE_TOO_LARGE),
}
REPAIRABLE = frozenset({Kind.TOKEN_REFUSED, Kind.CREDENTIALS_REFUSED, Kind.FORBIDDEN})
"""Refusals after which a call's credentials may be replaced, twice per call if Amazon refuses the second ones too."""
