"""Metrics of ends: days left of client secrets and authorizations, computed in the background instead of in each scrape.

Labels are bounded: windows of days, and the ids of the soonest hundred.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector
from sellergate_common.errors import SellergateError
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import BackgroundTasks

from sellergate_account.expiries import MOST_SINGLE, DaysLeft, ExpiryReport, report_expiries
from sellergate_account.ports.unit_of_work import Store

REFRESH_SECONDS = 300.0
RETRY_SECONDS = 15.0
REPORT_SECONDS = 30.0
# The id that `sellergate keys new` gives a key by default.
_DATED = re.compile(r"k(20\d{6})")
_SOONEST = f"Days left, negative after the end; the soonest {MOST_SINGLE}"


class ExpiryCollector(Collector):
    """The collector of the last report; it yields no report's metrics before the first one."""

    def __init__(self, newest_key: str, now: Callable[[], datetime]) -> None:
        self.report: ExpiryReport | None = None
        self._newest_key = newest_key
        self._now = now

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the metrics are known only after the first report."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the last report, and the age of the sealing key."""
        made = _DATED.fullmatch(self._newest_key)
        if made is not None:
            age = self._now() - datetime.strptime(made[1], "%Y%m%d").replace(tzinfo=UTC)
            words = "Days since the newest sealing key was made, by the date in its id"
            yield GaugeMetricFamily("sellergate_sealing_key_age_days", words, value=age / timedelta(days=1))
        report = self.report
        if report is None:
            return
        yield from _metrics("client_secret", "application_id", "of an LWA client secret", report.client_secrets)
        yield from _metrics("authorization", "account_id", "of an active account's consent", report.authorizations)
        yield GaugeMetricFamily(
            "sellergate_expiries_report_time_seconds",
            "When the days left were computed, in seconds since 1970",
            value=report.moment.timestamp(),
        )


def _metrics(what: str, label: str, words: str, left: DaysLeft) -> Iterator[Metric]:
    single = GaugeMetricFamily(f"sellergate_{what}_days_left", f"{_SOONEST} ({words})", labels=(label,))
    for id_, days in left.single.items():
        single.add_metric((id_,), days)
    within = GaugeMetricFamily(
        f"sellergate_{what}s_ending",
        f"Number that end within so many days, or have ended ({words})",
        labels=("within_days",),
    )
    for days, number in left.within.items():
        within.add_metric((str(days),), number)
    unknown = GaugeMetricFamily(
        f"sellergate_{what}s_end_unknown", f"Number without a known end ({words})", value=left.unknown
    )
    yield from (single, within, unknown)


@asynccontextmanager
async def expiry_metrics(
    store: Store,
    now: Callable[[], datetime],
    newest_key: str,
    sleep: Callable[[float], Awaitable[None]],
    background: BackgroundTasks,
    registry: CollectorRegistry = REGISTRY,
) -> AsyncIterator[None]:
    """Register the metrics, and renew the report in the background while the body runs."""
    collector = ExpiryCollector(newest_key, now)
    registry.register(collector)
    try:
        async with background.run("expiries", lambda: _refresh_forever(collector, store, now, sleep)):
            yield
    finally:
        registry.unregister(collector)


async def _refresh_forever(
    collector: ExpiryCollector,
    store: Store,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Renew the report every few minutes; while the database is down the last report stays, and its time shows its age."""
    while True:
        pause = REFRESH_SECONDS
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                collector.report = await report_expiries(store, now())
        except (SellergateError, TimeoutError) as error:
            get_logger().warning("expiries_unknown", cause=type(error).__name__)
            pause = RETRY_SECONDS
        except Exception as error:  # noqa: BLE001  (a bug here must not end the metrics for good)
            get_logger().error("expiries_bug", exc_info=error)
        await sleep(pause)
