"""The report on secrets and authorizations that end: counts of all, and single ends of the soonest.

The report is bounded for any number of accounts: its windows are fixed, and it names the soonest MOST_SINGLE ends.
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
    """Ends in days from one moment: the number within each window, and the days left by id, which are negative after the end."""

    within: Mapping[int, int]
    single: Mapping[str, float]
    unknown: int


@dataclass(frozen=True, slots=True)
class ExpiryReport:
    """The report at one moment."""

    client_secrets: DaysLeft
    authorizations: DaysLeft
    moment: datetime


async def report_expiries(store: Store, now: datetime) -> ExpiryReport:
    """Return the report at the time `now`. Raises Unavailable."""
    windows = {now + timedelta(days=days): days for days in WINDOWS_DAYS}
    async with store.reading() as work:
        client_secrets = await work.expiries.client_secrets(tuple(windows), MOST_SINGLE)
        authorizations = await work.expiries.authorizations(tuple(windows), now + NEAR, MOST_SINGLE)

    def days_left(endings: Endings) -> DaysLeft:
        within = {days: endings.within[limit] for limit, days in windows.items()}
        return DaysLeft(within, {id_: (end - now) / _DAY for id_, end in endings.single.items()}, endings.unknown)

    return ExpiryReport(days_left(client_secrets), days_left(authorizations), now)
