"""Quota: the generic cell rate algorithm (GCRA) as pure functions; time comes in as an argument.

A bucket is one number, its "theoretical arrival time" (tat): the time from now until then is what has been spent and has not flowed
back. `gcra.lua` does the same arithmetic for all replicas in Redis.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sellergate_common.errors import QuotaExceeded

from sellergate_gateway.quota.ports import Bucket, BucketSet, BucketState, RateSource, Reservation, Slot, SlotStore

# Calls reach Amazon later than they were let go, and not all by the same time. The first call that finds a bucket empty waits
# so many seconds longer; where the burst is 1 each call does, since no second slot makes up for a late one. Doubled by a 429.
GUARD_SECONDS, LONE_GUARD_SECONDS = 0.1, 0.02
# The largest guards, in intervals between two calls: at a burst of 1 it costs a part of the rate.
LARGEST_GUARD, LARGEST_LONE_GUARD, SHORTEST_LONE_GUARD_SECONDS = 1.0, 0.04, 0.005
# A rate that 429s have lowered is back after so long, twice as long each time that it proves too high again, and this at most.
RECOVERY_SECONDS, LONGEST_RECOVERY_SECONDS = 40.0, 1280.0
# Lowered to this part of what it was lowered to before, or more, it has proved too high again; to less, it is the same event.
SAME_CUT = 0.9
# The rate is lowered when the calls that passed since an earlier 429 are fewer than this part of it would let through: to this
# part of theirs, and to no less than that part of the rate before.
PROOF, CUT_MARGIN, SMALLEST_CUT = 0.95, 0.98, 0.3
# Calls prove nothing where fewer were tried than this part of the rate; nor in less time.
DEMAND = 0.8
WINDOW_SECONDS, FORGOTTEN_SECONDS = 2.0, 600.0
# 429s without a success in between double the pause, up to this.
LONGEST_PAUSE_SECONDS = 8.0
# Microseconds are rounded in Redis, and again when a rate changes.
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
    """What the rate was lowered to at `cut_at`, after 429s; 0: never."""
    cut_at: float = 0.0
    recovery: float = 0.0
    """The seconds that it takes from `cut_at` until the rate is back; 0: RECOVERY_SECONDS."""
    guard: float = 0.0
    """What 429s have taught of late calls, in seconds; 0: nothing."""
    since: float = 0.0
    """When the count began, at a 429; 0: there is none."""
    issued: int = 0
    """Slots that were ever reserved: the number of the newest one."""
    before: int = 0
    """`issued` when the count began."""
    refused: int = 0
    """429s since then."""
    blocked: float = 0.0
    """Seconds since then in which no call was let through."""
    mark: int = 0
    """`issued` at the last 429."""
    streak: int = 0
    """429s without a success in between."""

    @property
    def passed(self) -> int:
        """Calls that were let through since the count began, refused ones included."""
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
        """Return the rate in force, how far `tat` lies ahead in seconds of that rate, and the seconds until the next call may go.

        A changed rate rescales what is owed.
        """
        rate, owed = self.rate(bucket, now), self.tat - now
        debt = (owed / rate / self.interval if self.interval else owed) if owed > 0 else 0.0
        early = debt - (bucket.burst - 1) / rate
        wait = early + self.guard_of(bucket, rate) if early > SAME_SECONDS else 0.0
        return rate, debt, max(wait, self.blocked_until - now)

    def guard_of(self, bucket: Bucket, rate: float) -> float:
        """Return the seconds that a call waits longer than its bucket says."""
        first, largest = guards(bucket.burst, rate)
        return min(self.guard or first, largest)

    def reserve(self, bucket: Bucket, found: tuple[float, float, float], now: float) -> Slot:
        """Reserve one slot, after `found` was peeked."""
        rate, debt, wait = found
        self.interval = 1.0 / rate
        # At a burst of 1 what counts is the distance from the call before.
        self.tat = now + max(debt, wait if bucket.burst == 1 else 0.0) + self.interval
        self.issued += 1
        return Slot(bucket, max(0.0, wait), self.issued)

    def cancel(self, slots: int) -> float:
        """Give slots back; return the seconds by which later ones come sooner for each."""
        self.tat -= slots * self.interval
        return self.interval

    def delay(self, now: float, seconds: float) -> None:
        """Count the newest call as sent `seconds` late, now."""
        self.tat = max(self.tat + seconds, now + self.interval)

    def update_rate(self, bucket: Bucket, now: float, rate: float) -> None:
        """Take Amazon's reported rate into force; one that 429s have lowered is back soon."""
        before = self.rate(bucket, now)
        self.learned = rate
        if self.cut and self.recovery > RECOVERY_SECONDS:
            self.cut, self.cut_at, self.recovery = before, now, RECOVERY_SECONDS

    def on_throttled(self, bucket: Bucket, now: float, seconds: float) -> float:
        """Record a 429; return by how much waiting callers are delayed: 0 while a 429 of a moment ago has done so already."""
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
        """Count a 429, from this one on where the count before proves nothing any more."""
        self.refused += 1
        idle = self.passed + self.refused + bucket.burst < DEMAND * rate * self._open_seconds(rate, now)
        if not self.since or now - self.since > FORGOTTEN_SECONDS or idle:
            self.since, self.before, self.refused, self.blocked = now, self.issued, 0, 0.0

    def _shows_less(self, rate: float, now: float) -> bool:
        """Return whether what passed since the count began was less than the rate lets through."""
        succeeded, lasted = self.passed - self.refused, self._open_seconds(rate, now)
        return (
            lasted >= max(WINDOW_SECONDS, 2 / rate)
            and succeeded >= 2  # noqa: PLR2004  (fewer are no rate: Amazon refuses everything)
            and succeeded + 1 < PROOF * rate * lasted
        )

    def _open_seconds(self, rate: float, now: float) -> float:
        """Return for how long the count has lasted, without the pauses in which Amazon's bucket may have overflowed."""
        return now - self.since - max(0.0, self.blocked - self.refused / rate)

    def _lower(self, bucket: Bucket, debt: float, rate: float, now: float) -> tuple[float, float]:
        """Lower the rate to what has passed; return the rescaled debt and the new rate."""
        lasted = self._open_seconds(rate, now)
        flowed = (self.passed - self.refused) / lasted
        if bucket.burst == 1:
            # Each 429 cost a slot that may have been missed by little: the rate is between what passed and what was tried.
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
        """Return what the bucket holds."""
        rate, debt, wait = self.peek(bucket, now)
        source = RateSource.HEADER if self.learned else RateSource.CATALOGUE
        return state_of(bucket, rate, wait, debt, RateSource.BACKOFF if rate < self.base(bucket) else source)


def guards(burst: int, rate: float) -> tuple[float, float]:
    """Return the guard of a bucket that has seen no 429, and its largest one, in seconds."""
    if burst > 1:
        return min(GUARD_SECONDS, 0.5 / rate), LARGEST_GUARD / rate
    # At many calls a second it has to be a larger part of the interval, or it would be shorter than any lateness.
    largest = max(LARGEST_LONE_GUARD / rate, min(SHORTEST_LONE_GUARD_SECONDS, 0.25 / rate))
    return min(LONE_GUARD_SECONDS, largest / 2), largest


def state_of(bucket: Bucket, rate: float, wait: float, debt: float, source: RateSource) -> BucketState:
    """Return what a bucket holds of which so much is spent."""
    remaining = 0 if wait > 0 else max(0, int(bucket.burst - debt * rate + 1e-9))
    return BucketState(rate, remaining, max(debt, wait), source)


def refuse(wait: float, longest: float) -> QuotaExceeded:
    """Return the error of a call whose slot would come too late."""
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
