"""Time as an argument: the two clocks that the simulator reads, and ISO 8601 as Amazon writes it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """A pair of clocks: `wall` in seconds since 1970, for responses; `steady` in seconds that never jump."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic


def iso(moment: float) -> str:
    """Return seconds since 1970 as "2026-11-23T18:00:00Z"."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> float:
    """Return the seconds since 1970 of an ISO 8601 date or time; without an offset it is in UTC.

    Raises ValueError for any other text.
    """
    moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except OverflowError:
        raise ValueError("the time lies outside the years 1 to 9999") from None
