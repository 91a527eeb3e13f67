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

    def of(
        self, account: Account, site: Site, operation: Operation | None, *, batch: bool, grantless: bool = False
    ) -> tuple[Bucket, ...]:
        """Return the buckets of a call: of a user's seller, and of all the user's sellers where Amazon limits the application.

        BATCH also passes a smaller one of the seller, last, as a gate: so a share of the quota is left for people who wait. All
        paths that the catalogue does not have share one bucket of a seller. No bucket of a seller's calls is shared by two users.
        `grantless`: the call is made with the application's own token.
        """
        # Such a call counts for the application, whichever account names it; no user of a shared application can make one.
        owner = ("", "", site.region.name, str(site.sandbox), "") if grantless else account.shared_parts(site)[1:]
        return self._kept(account.application_id, owner, site.sandbox, operation, batch)

    def _make(
        self, application_id: str, owner: tuple[str, ...], sandbox: bool, operation: Operation | None, batch: bool
    ) -> tuple[Bucket, ...]:
        rate, burst = _numbers(operation, sandbox=sandbox)
        name = _SANDBOX if sandbox else operation.name if operation else _UNKNOWN
        application = self._ring.index("application", application_id)[:32]
        prefix = f"{QUOTA_PREFIX}{{{application}}}:"
        # Replicas of before the user was part of the key name their buckets otherwise ("pair", "all").
        own = self._ring.index("user's seller", *owner, name)[:32]
        # We plan with a burst one below Amazon's: its clock and ours are not the same.
        burst = max(1, burst - 1)
        # Behind unknown paths are many operations, and each tells a rate of its own.
        whole = Bucket(prefix + own, rate, burst, learns=sandbox or operation is not None)
        found = [whole]
        if operation and operation.application_rate and not sandbox:
            all_sellers = self._ring.index("user's sellers", *owner[:-1], name)[:32]
            found.append(Bucket(prefix + all_sellers, operation.application_rate, operation.application_burst or burst))
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
