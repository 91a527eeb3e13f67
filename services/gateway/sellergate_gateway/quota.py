"""Quota as GCRA: the buckets of a call, and the arithmetic of one bucket, as pure functions.

The generic cell rate algorithm keeps one number for a bucket: the theoretical arrival time (`tat`) of the next call if all before
came evenly. `redis_quota` runs the same arithmetic for all replicas; a property test compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sellergate_amazon.operations import Operation
from sellergate_common.errors import QuotaExceeded
from sellergate_common.keyspace import QUOTA_PREFIX
from sellergate_common.sealing import KeyRing
from sellergate_common.sites import Site

from sellergate_gateway.ports import Account, Bucket, BucketState

# Amazon's sandbox has one limit for all operations (SP-API sandbox page).
SANDBOX_RATE, SANDBOX_BURST = 5.0, 15
# For paths and the few operations without published numbers: careful.
CAUTIOUS_RATE, CAUTIOUS_BURST = 1.0, 1
_SANDBOX, _UNKNOWN = "sandbox", "unknown"
# Names of buckets are kept: an HMAC for every call would be a good part of its cost.
_KEPT_NAMES = 65_536


@dataclass(slots=True)
class Gauge:
    """The state of one bucket, in seconds of some clock. `interval` is that of the rate by which `tat` was reckoned."""

    tat: float = 0.0
    interval: float = 0.0
    blocked_until: float = 0.0
    learned: float = 0.0

    def believed_rate(self, bucket: Bucket) -> float:
        """Return the rate in force: Amazon's word, where it gave one."""
        return self.learned or bucket.rate

    def debt(self, bucket: Bucket, now: float) -> float:
        """Return how far `tat` lies ahead, in seconds of the rate in force: a changed rate rescales what is owed."""
        owed = max(0.0, self.tat - now)
        interval = 1.0 / self.believed_rate(bucket)
        return owed * interval / self.interval if self.interval else owed

    def wait(self, bucket: Bucket, now: float) -> float:
        """Return the seconds until the next call may go."""
        tolerance = (bucket.burst - 1) / self.believed_rate(bucket)
        return max(0.0, self.debt(bucket, now) - tolerance, self.blocked_until - now)

    def take(self, bucket: Bucket, now: float) -> None:
        """Take one slot."""
        interval = 1.0 / self.believed_rate(bucket)
        self.tat, self.interval = now + self.debt(bucket, now) + interval, interval

    def drain(self, bucket: Bucket, now: float, seconds: float) -> None:
        """Empty the bucket, and let nobody go for `seconds`.

        Those who come meanwhile queue up behind that time; a block alone would let all of them go when it ends.
        """
        interval = 1.0 / self.believed_rate(bucket)
        self.tat = now + max(self.debt(bucket, now), seconds + (bucket.burst - 1) * interval)
        self.interval, self.blocked_until = interval, now + seconds

    def state(self, bucket: Bucket, now: float) -> BucketState:
        """Return what is in the bucket."""
        rate, debt = self.believed_rate(bucket), self.debt(bucket, now)
        remaining = 0 if self.blocked_until > now else max(0, int(bucket.burst - debt * rate + 1e-9))
        return BucketState(rate, remaining, max(debt, self.blocked_until - now, 0.0), bool(self.learned))


class Buckets:
    """Names the buckets of calls. Key names hold HMACs; the braces keep an application's buckets in one slot of a cluster."""

    def __init__(self, ring: KeyRing, interactive_share: float) -> None:
        self._ring = ring
        self._batch_share = 1.0 - interactive_share
        self._kept = lru_cache(_KEPT_NAMES)(self._make)

    def of(self, account: Account, site: Site, operation: Operation | None, *, batch: bool) -> tuple[Bucket, ...]:
        """Return the buckets of a call, that of the pair of seller and application first.

        We plan with a burst one below Amazon's: its clock and ours are not the same. BATCH also passes a smaller bucket, so that
        a share of the quota is left for people who wait. All paths that the catalogue does not have share one bucket of a pair.
        """
        rate, burst = _numbers(operation, sandbox=site.sandbox)
        name = _SANDBOX if site.sandbox else operation.name if operation else _UNKNOWN
        # A call without a seller's grant counts for the application alone, whichever account names it.
        grantless = operation is not None and operation.grantless_scope
        seller_id = "" if grantless else account.amazon_seller_id
        pair = account.application_id, seller_id, site.region.name, site.sandbox
        return self._kept(pair, name, rate, burst, batch)

    def _make(
        self, pair: tuple[str, str, str, bool], name: str, rate: float, burst: int, batch: bool
    ) -> tuple[Bucket, ...]:
        application_id, seller_id, region, sandbox = pair
        application = self._ring.index("application", application_id)[:32]
        own = self._ring.index("pair", seller_id, region, str(sandbox), name)[:32]
        burst = max(1, burst - 1)
        whole = Bucket(f"{QUOTA_PREFIX}{{{application}}}:{own}", rate, burst)
        if not batch:
            return (whole,)
        share = self._batch_share
        return whole, Bucket(whole.key + ":batch", rate * share, max(1, int(burst * share)), share)


def refuse(wait: float, max_wait: float, operation: str) -> QuotaExceeded:
    """Return the error of a call whose turn would come too late."""
    return QuotaExceeded(
        f"The quota of this operation lets the next call go in {wait:.1f} s, and {max_wait:.1f} s is the longest wait allowed.",
        metadata={"operation": operation} if operation else {},
        retry_after=wait,
    )


def admit(gauges: Sequence[Gauge], buckets: Sequence[Bucket], now: float, max_wait: float) -> float | None:
    """Take one slot in every bucket and return the wait; None, and nothing taken, when it would be above `max_wait`.

    A wait that was refused is what `wait` of the slowest gauge says.
    """
    wait = max(gauge.wait(bucket, now) for gauge, bucket in zip(gauges, buckets, strict=True))
    if wait > max_wait:
        return None
    for gauge, bucket in zip(gauges, buckets, strict=True):
        gauge.take(bucket, now)
    return wait


def _numbers(operation: Operation | None, *, sandbox: bool) -> tuple[float, int]:
    if sandbox:
        return SANDBOX_RATE, SANDBOX_BURST
    if operation is None or not operation.rate:
        return CAUTIOUS_RATE, CAUTIOUS_BURST
    return operation.rate, operation.burst or CAUTIOUS_BURST
