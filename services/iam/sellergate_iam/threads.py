"""Threads for blocking calls, separate for each region, so that a region whose STS does not respond delays no other."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from sellergate_iam.sts_errors import Busy

THREADS = 8
"""The threads of one region."""
# AWS has fewer than 40 regions. Further names share one set of threads, so that invented regions cannot add threads.
MOST_REGIONS = 48
STUCK_SECONDS = 15.0
_OTHERS = "other regions"

_Result = TypeVar("_Result")


class _Region:
    """The threads of one region."""

    def __init__(self, name: str) -> None:
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"sts-{name}")
        self.busy = 0
        self.full_since: float | None = None


class RegionThreads:
    """The threads of all regions. `now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._regions: dict[str, _Region] = {}
        self._lock = Lock()

    def submit(self, region: str, work: Callable[[], _Result]) -> "Future[_Result]":
        """Run `work` in a free thread of the region, and return its result."""
        if region not in self._regions and len(self._regions) >= MOST_REGIONS:
            region = _OTHERS
        found = self._regions.setdefault(region, _Region(region))
        return found.threads.submit(self._watch, found, work)

    def close(self) -> None:
        """Let the threads end. Do not wait for calls in progress."""
        for region in self._regions.values():
            region.threads.shutdown(wait=False, cancel_futures=True)

    def problem(self) -> str:
        """Return a sentence about a region whose threads have all waited STUCK_SECONDS for a response; empty if there is none."""
        for name, region in self._regions.items():
            if region.full_since is not None and self._now() - region.full_since >= STUCK_SECONDS:
                return f"all {THREADS} threads of STS in {name} wait for a response"
        return ""

    def _watch(self, region: _Region, work: Callable[[], _Result]) -> _Result:
        with self._lock:
            region.busy += 1
            if region.busy == THREADS and region.full_since is None:
                region.full_since = self._now()
        has_response = True
        try:
            return work()
        except Busy:
            has_response = False
            raise
        finally:
            with self._lock:
                region.busy -= 1
                if has_response or not region.busy:
                    region.full_since = None
