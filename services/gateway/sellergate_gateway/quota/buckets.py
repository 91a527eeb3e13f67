"""Which buckets a call passes, and what they are called: names hold HMACs, and one application's lie in one slot of a cluster."""

from functools import lru_cache

from sellergate_amazon.operations import Operation
from sellergate_common.cache.keyspace import QUOTA_PREFIX
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.sites import Site

from sellergate_gateway.model import Account
from sellergate_gateway.quota.ports import Bucket

# Amazon's sandbox has one limit for all operations (SP-API sandbox page).
SANDBOX_RATE, SANDBOX_BURST = 5.0, 15
# For paths and the few operations without published numbers: careful.
CAUTIOUS_RATE, CAUTIOUS_BURST = 1.0, 1
_SANDBOX, _UNKNOWN = "sandbox", "unknown"
# Names of buckets are kept: an HMAC for every call would be a good part of its cost.
_KEPT_NAMES = 65_536


class Buckets:
    """Names the buckets of calls. `interactive_share` is the part of each that BATCH calls leave alone."""

    def __init__(self, ring: KeyRing, interactive_share: float) -> None:
        self._ring = ring
        self._batch_share = 1.0 - interactive_share
        self._kept = lru_cache(_KEPT_NAMES)(self._make)

    def of(self, account: Account, site: Site, operation: Operation | None, *, batch: bool) -> tuple[Bucket, ...]:
        """Return the buckets of a call: of the pair of seller and application, of the application where Amazon names such a limit.

        BATCH also passes a smaller one of the pair, last, as a gate: so a share of the quota is left for people who wait. All
        paths that the catalogue does not have share one bucket of a pair.
        """
        # A call without a seller's grant counts for the application alone, whichever account names it.
        grantless = operation is not None and operation.grantless_scope
        seller_id = "" if grantless else account.amazon_seller_id
        return self._kept(account.application_id, seller_id, site.region.name, site.sandbox, operation, batch)

    def _make(
        self, application_id: str, seller_id: str, region: str, sandbox: bool, operation: Operation | None, batch: bool
    ) -> tuple[Bucket, ...]:
        rate, burst = _numbers(operation, sandbox=sandbox)
        name = _SANDBOX if sandbox else operation.name if operation else _UNKNOWN
        application = self._ring.index("application", application_id)[:32]
        prefix = f"{QUOTA_PREFIX}{{{application}}}:"
        own = self._ring.index("pair", seller_id, region, str(sandbox), name)[:32]
        # We plan with a burst one below Amazon's: its clock and ours are not the same.
        burst = max(1, burst - 1)
        # Behind unknown paths are many operations, and each tells a rate of its own.
        whole = Bucket(prefix + own, rate, burst, learns=sandbox or operation is not None)
        found = [whole]
        if operation and operation.application_rate and not sandbox:
            shared = self._ring.index("all", region, name)[:32]
            found.append(Bucket(prefix + shared, operation.application_rate, operation.application_burst or burst))
        if batch:
            share = self._batch_share
            small = max(1, int(burst * share))
            found.append(Bucket(f"{whole.key}:batch", rate * share, small, share, learns=whole.learns, gate=True))
        return tuple(found)


def _numbers(operation: Operation | None, *, sandbox: bool) -> tuple[float, int]:
    if sandbox:
        return SANDBOX_RATE, SANDBOX_BURST
    if operation is None or not operation.rate:
        return CAUTIOUS_RATE, CAUTIOUS_BURST
    return operation.rate, operation.burst or CAUTIOUS_BURST
