"""The generic cell rate algorithm (GCRA) as pure functions with time as an argument.

A bucket is one number, its "theoretical arrival time" (tat): the time from now until then is the debt, calls that were spent and
have not been refilled. `gcra.lua` does the same arithmetic for all replicas in Redis.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sellergate_common.errors import QuotaExceeded

from sellergate_gateway.quota.ports import Bucket, BucketSet, BucketState, RateSource, Reservation, Slot, SlotStore

# Calls reach Amazon after their slots, by varying times. The first call that finds a bucket empty waits these seconds longer;
# at a burst of 1 each call waits longer, since no second slot compensates for a late one. A 429 doubles them.
GUARD_SECONDS, LONE_GUARD_SECONDS = 0.1, 0.02
# The largest guards, in intervals between two calls; at a burst of 1 the guard costs a part of the rate.
LARGEST_GUARD, LARGEST_LONE_GUARD, SHORTEST_LONE_GUARD_SECONDS = 1.0, 0.04, 0.005
# Seconds until a rate that 429s have lowered has recovered: doubled each time that it proves too high again, up to the maximum.
RECOVERY_SECONDS, LONGEST_RECOVERY_SECONDS = 40.0, 1280.0
# A cut to at least this share of the rate after the previous cut shows a rate that is too high again; a lower one is the same
# event.
SAME_CUT = 0.9
# The rate is lowered if fewer calls passed since an earlier 429 than this share of it admits: to this share of their rate, and to
# no less than that share of the previous rate.
PROOF, CUT_MARGIN, SMALLEST_CUT = 0.95, 0.98, 0.3
# Calls prove nothing if fewer were tried than this share of the rate admits, or in less time than this.
DEMAND = 0.8
WINDOW_SECONDS, FORGOTTEN_SECONDS = 2.0, 600.0
# Successive 429s double the pause, up to this factor.
LONGEST_PAUSE_SECONDS = 8.0
# A tolerance, since microseconds are rounded in Redis, and again when a rate changes.
SAME_SECONDS = 0.000003


@dataclass(slots=True)
class GcraState:
    """The state of one bucket, in seconds of some clock. `interval` is that of the rate by which `tat` was computed."""

    tat: float = 0.0
    interval: float = 0.0
    blocked_until: float = 0.0
    learned: float = 0.0
    """The rate that Amazon reported; 0: none."""
    cut: float = 0.0
    """The rate after the cut at `cut_at`, caused by 429s; 0: never."""
    cut_at: float = 0.0
    recovery: float = 0.0
    """The seconds from `cut_at` until the rate has recovered; 0: RECOVERY_SECONDS."""
    guard: float = 0.0
    """The guard in seconds that 429s have led to; 0: none."""
    since: float = 0.0
    """The start of the count, at a 429; 0: there is none."""
    issued: int = 0
    """The number of slots reserved so far, which numbers the newest one."""
    before: int = 0
    """`issued` at the start of the count."""
    refused: int = 0
    """429s since the start of the count."""
    blocked: float = 0.0
    """Seconds since the start of the count in which no call was admitted."""
    mark: int = 0
    """`issued` at the last 429."""
    streak: int = 0
    """429s without a success between them."""

    @property
    def passed(self) -> int:
        """Calls admitted since the start of the count, including those that Amazon refused."""
        return self.issued - self.before

    def base(self, bucket: Bucket) -> float:
        """Return the rate that Amazon reported, else the catalogue's."""
        return self.learned or bucket.rate

    def rate(self, bucket: Bucket, now: float) -> float:
        """Return the rate in force."""
        base = self.base(bucket)
        if not self.cut:
            return base
        returned = (now - self.cut_at) / (self.recovery or RECOVERY_SECONDS)
        return min(base, self.cut + max(0.0, base - self.cut) * returned)

    def peek(self, bucket: Bucket, now: float) -> tuple[float, float, float]:
        """Return the rate in force, the debt in seconds at that rate, and the seconds until the next call may be sent.

        A changed rate rescales the debt.
        """
        rate, owed = self.rate(bucket, now), self.tat - now
        debt = (owed / rate / self.interval if self.interval else owed) if owed > 0 else 0.0
        early = debt - (bucket.burst - 1) / rate
        wait = early + self.guard_of(bucket, rate) if early > SAME_SECONDS else 0.0
        return rate, debt, max(wait, self.blocked_until - now)

    def guard_of(self, bucket: Bucket, rate: float) -> float:
        """Return the guard of a bucket: the seconds that a call waits in addition."""
        first, largest = guards(bucket.burst, rate)
        return min(self.guard or first, largest)

    def reserve(self, bucket: Bucket, found: tuple[float, float, float], now: float) -> Slot:
        """Reserve one slot, after `found` was peeked."""
        rate, debt, wait = found
        self.interval = 1.0 / rate
        # At a burst of 1 the distance from the previous call counts.
        self.tat = now + max(debt, wait if bucket.burst == 1 else 0.0) + self.interval
        self.issued += 1
        return Slot(bucket, max(0.0, wait), self.issued)

    def cancel(self, slots: int) -> float:
        """Cancel slots. Return the seconds by which each moves later slots forward."""
        self.tat -= slots * self.interval
        return self.interval

    def delay(self, now: float, seconds: float) -> None:
        """Count the newest call as sent `seconds` late, now."""
        self.tat = max(self.tat + seconds, now + self.interval)

    def update_rate(self, bucket: Bucket, now: float, rate: float) -> None:
        """Apply Amazon's reported rate. A rate that 429s have lowered recovers soon."""
        before = self.rate(bucket, now)
        self.learned = rate
        if self.cut and self.recovery > RECOVERY_SECONDS:
            self.cut, self.cut_at, self.recovery = before, now, RECOVERY_SECONDS

    def on_throttled(self, bucket: Bucket, now: float, seconds: float) -> float:
        """Record a 429. Return the delay of waiting callers in seconds: 0 if a simultaneous 429 has delayed them already."""
        rate, debt, _ = self.peek(bucket, now)
        in_a_row = self.since > 0 and self.issued - self.mark <= 1
        self._count(bucket, rate, now)
        if self._shows_less(rate, now):
            debt, rate = self._lower(bucket, debt, rate, now)
        shift = 0.0
        if now >= self.blocked_until:
            self.guard = min(2 * self.guard_of(bucket, rate), guards(bucket.burst, rate)[1])
            self.streak = self.streak + 1 if in_a_row else 0
            self.mark = self.issued
            shift = min(seconds * 2.0**self.streak, max(seconds, LONGEST_PAUSE_SECONDS))
            self.blocked_until = now + shift
            self.blocked += shift
            debt = max(debt, (bucket.burst - 1) / rate) + shift
        self.tat, self.interval = now + debt, 1 / rate
        return shift

    def _count(self, bucket: Bucket, rate: float, now: float) -> None:
        """Count a 429. Restart the count with it if the previous count is too old to prove anything."""
        self.refused += 1
        idle = self.passed + self.refused + bucket.burst < DEMAND * rate * self._open_seconds(rate, now)
        if not self.since or now - self.since > FORGOTTEN_SECONDS or idle:
            self.since, self.before, self.refused, self.blocked = now, self.issued, 0, 0.0

    def _shows_less(self, rate: float, now: float) -> bool:
        """Return whether fewer calls passed since the start of the count than the rate admits."""
        succeeded, lasted = self.passed - self.refused, self._open_seconds(rate, now)
        return (
            lasted >= max(WINDOW_SECONDS, 2 / rate)
            and succeeded >= 2  # noqa: PLR2004  (fewer are not a rate: Amazon refuses everything)
            and succeeded + 1 < PROOF * rate * lasted
        )

    def _open_seconds(self, rate: float, now: float) -> float:
        """Return the seconds of the count, without pauses in which Amazon's bucket may have overflowed."""
        return now - self.since - max(0.0, self.blocked - self.refused / rate)

    def _lower(self, bucket: Bucket, debt: float, rate: float, now: float) -> tuple[float, float]:
        """Lower the rate to that of the calls that passed. Return the rescaled debt and the new rate."""
        lasted = self._open_seconds(rate, now)
        flowed = (self.passed - self.refused) / lasted
        if bucket.burst == 1:
            # Each 429 may have missed its slot by little: the true rate is between that of passed and that of tried calls.
            flowed = (flowed + min(rate, self.passed / lasted)) / 2
        lower = max(SMALLEST_CUT * rate, CUT_MARGIN * flowed)
        recovery = self.recovery or RECOVERY_SECONDS
        if not self.cut or now - self.cut_at > 2 * recovery:
            recovery = RECOVERY_SECONDS
        elif lower > SAME_CUT * self.cut:
            recovery = min(2 * recovery, LONGEST_RECOVERY_SECONDS)
        self.cut, self.cut_at, self.recovery = min(lower, self.base(bucket)), now, recovery
        self.since, self.before, self.refused, self.blocked = now, self.issued, 0, 0.0
        return debt * rate / self.cut, self.cut

    def state(self, bucket: Bucket, now: float) -> BucketState:
        """Return the state of the bucket."""
        rate, debt, wait = self.peek(bucket, now)
        source = RateSource.HEADER if self.learned else RateSource.CATALOGUE
        return state_of(bucket, rate, wait, debt, RateSource.BACKOFF if rate < self.base(bucket) else source)


def guards(burst: int, rate: float) -> tuple[float, float]:
    """Return the guard of a bucket that has seen no 429, and its largest one, in seconds."""
    if burst > 1:
        return min(GUARD_SECONDS, 0.5 / rate), LARGEST_GUARD / rate
    # At many calls per second the guard must be a larger share of the interval, or it would be shorter than any lateness.
    largest = max(LARGEST_LONE_GUARD / rate, min(SHORTEST_LONE_GUARD_SECONDS, 0.25 / rate))
    return min(LONE_GUARD_SECONDS, largest / 2), largest


def state_of(bucket: Bucket, rate: float, wait: float, debt: float, source: RateSource) -> BucketState:
    """Return the state of a bucket with the given debt."""
    remaining = 0 if wait > 0 else max(0, int(bucket.burst - debt * rate + 1e-9))
    return BucketState(rate, remaining, max(debt, wait), source)


def refuse(wait: float, longest: float) -> QuotaExceeded:
    """Return the error of a call whose slot would be too late."""
    return QuotaExceeded(
        f"The quota of this operation lets the next call go in {wait:.1f} s, and {longest:.1f} s is the longest wait allowed."
        " Call again then, or allow a longer wait.",
        retry_after=wait,
    )


def reserve(
    store: SlotStore, states: Mapping[str, GcraState], buckets: BucketSet, now: float, longest: float
) -> Reservation:
    """Reserve one slot in every bucket of a store.

    Raises QuotaExceeded, with nothing reserved, where the wait would exceed `longest`.
    """
    found = {bucket.key: states[bucket.key].peek(bucket, now) for bucket in buckets.all}
    passed, remaining, first = buckets.all, None, buckets.first_stage
    if first is not None and found[first.key][2] > 0:
        passed, remaining = (first,), buckets.without_first_stage()
    wait = max([found[bucket.key][2] for bucket in passed])
    if wait > longest:
        raise refuse(wait, longest)
    slots = [states[bucket.key].reserve(bucket, found[bucket.key], now) for bucket in passed]
    return Reservation(store, tuple(slots), found[buckets.primary.key][0], remaining)
