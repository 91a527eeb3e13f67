"""Decides what is told of secrets and authorizations that end: counts for all, single ones for the few that are near.

However many accounts there are, what is told stays small: windows are fixed, and single ones are the soonest MOST_SINGLE.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

WINDOWS_DAYS = (7, 14, 30, 60, 90)
NEAR = timedelta(days=30)
MOST_SINGLE = 100
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Endings:
    """What ends. `within` counts by window, with those that have ended; `single` are ends by id; `unknown` have no known end."""

    within: Mapping[datetime, int]
    single: Mapping[str, datetime]
    unknown: int


class ExpiryRows(Protocol):
    """The ends in the database. `limits` are the ends of the windows, `most` bounds the single ones, the soonest first."""

    async def client_secrets(self, limits: tuple[datetime, ...], most: int) -> Endings:
        """Return the ends of client secrets; single ones are the operator's applications first, then users' own."""

    async def authorizations(self, limits: tuple[datetime, ...], near: datetime, most: int) -> Endings:
        """Return the ends of active accounts' authorizations; single ones are those that end before `near`."""


@dataclass(frozen=True, slots=True)
class DaysLeft:
    """Endings, reckoned in days from one moment: how many end within each window, and days left by id, negative when ended."""

    within: Mapping[int, int]
    single: Mapping[str, float]
    unknown: int


@dataclass(frozen=True, slots=True)
class ExpiryReport:
    """What is told, and of which moment."""

    client_secrets: DaysLeft
    authorizations: DaysLeft
    moment: datetime


async def report_expiries(rows: ExpiryRows, now: datetime) -> ExpiryReport:
    """Return what ends, as of now. Raises Unavailable."""
    windows = {now + timedelta(days=days): days for days in WINDOWS_DAYS}
    client_secrets = await rows.client_secrets(tuple(windows), MOST_SINGLE)
    authorizations = await rows.authorizations(tuple(windows), now + NEAR, MOST_SINGLE)

    def days_left(endings: Endings) -> DaysLeft:
        within = {days: endings.within[limit] for limit, days in windows.items()}
        return DaysLeft(within, {id_: (end - now) / _DAY for id_, end in endings.single.items()}, endings.unknown)

    return ExpiryReport(days_left(client_secrets), days_left(authorizations), now)
