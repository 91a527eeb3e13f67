"""Decides what is told of secrets and authorizations that end: counts for all, single ones for the few that are near.

However many accounts there are, what is told stays small: windows are fixed, and single ones are the soonest MOST_SINGLE.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sellergate_account.model import Endings
from sellergate_account.ports.unit_of_work import Store

WINDOWS_DAYS = (7, 14, 30, 60, 90)
NEAR = timedelta(days=30)
MOST_SINGLE = 100
_DAY = timedelta(days=1)


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


async def report_expiries(store: Store, now: datetime) -> ExpiryReport:
    """Return what ends, as of now. Raises Unavailable."""
    windows = {now + timedelta(days=days): days for days in WINDOWS_DAYS}
    async with store.reading() as work:
        client_secrets = await work.expiries.client_secrets(tuple(windows), MOST_SINGLE)
        authorizations = await work.expiries.authorizations(tuple(windows), now + NEAR, MOST_SINGLE)

    def days_left(endings: Endings) -> DaysLeft:
        within = {days: endings.within[limit] for limit, days in windows.items()}
        return DaysLeft(within, {id_: (end - now) / _DAY for id_, end in endings.single.items()}, endings.unknown)

    return ExpiryReport(days_left(client_secrets), days_left(authorizations), now)
