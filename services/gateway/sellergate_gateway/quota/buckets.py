"""The buckets of a call, and their names, which hold HMACs and place one application's buckets in one slot of a cluster."""

import re
from functools import lru_cache

from sellergate_amazon.operations import Operation
from sellergate_common.cache.keyspace import QUOTA_PREFIX
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.sites import Site

from sellergate_gateway.model import Account
from sellergate_gateway.quota.ports import Bucket, BucketSet

# Amazon's sandbox has one limit for all operations (SP-API sandbox page).
SANDBOX_RATE, SANDBOX_BURST = 5.0, 15
# A cautious quota for unknown paths and the few operations without published numbers, until Amazon reports a rate.
CAUTIOUS_RATE, CAUTIOUS_BURST = 1.0, 1
# One quota for all paths that the catalogue lacks together, so that invented paths do not evade the quota.
UNKNOWN_RATE, UNKNOWN_BURST = 5.0, 15
_SANDBOX, _UNKNOWN = "sandbox", "unknown"
# Names of buckets are cached, because an HMAC for each call would be a large part of its cost.
_KEPT_NAMES = 65_536
# A segment of a path that names a kind of resource and not a single one: a word, "v0", a date as version.
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,40}|v[0-9]{1,3}|[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MAX_SEGMENTS = 12


class Buckets:
    """The buckets of calls. `interactive_share` is the share of each that background calls leave free."""

    def __init__(self, ring: KeyRing, interactive_share: float) -> None:
        self._ring = ring
        self._background_share = 1.0 - interactive_share
        self._kept = lru_cache(_KEPT_NAMES)(self._make)

    def of(
        self,
        account: Account,
        site: Site,
        operation: Operation | None,
        path: str = "",
        *,
        background: bool,
        grantless: bool = False,
    ) -> BucketSet:
        """Return the buckets of a call: of a user's seller, and of all the user's sellers if Amazon limits the application.

        A background call first passes a smaller bucket of the seller, the first stage, so that a share of the quota is left for
        interactive calls. `path` ("GET /orders/v9/things/1") names a call that the catalogue lacks: calls of the same shape share
        a bucket, which follows Amazon's reported rate. Users never share a bucket of a seller's calls. `grantless`: the call is
        made with the application's own token.
        """
        # Such a call counts for the application, for any account; users of a shared application cannot make one.
        owner = ("", "", site.region.name, str(site.sandbox), "") if grantless else account.shared_parts(site)[1:]
        shape = "" if operation or site.sandbox else shape_of(path)
        return self._kept(account.application_id, owner, site.sandbox, operation, shape, background)

    def _make(
        self,
        application_id: str,
        owner: tuple[str, ...],
        sandbox: bool,
        operation: Operation | None,
        shape: str,
        background: bool,
    ) -> BucketSet:
        rate, burst = _numbers(operation, sandbox=sandbox)
        name = _SANDBOX if sandbox else operation.name if operation else f"{_UNKNOWN} {shape}"
        application = self._ring.index("application", application_id)[:32]
        prefix = f"{QUOTA_PREFIX}{{{application}}}:"
        # Replicas of earlier releases, without the user in the key, use other names ("pair", "all").
        primary = Bucket(prefix + self._ring.index("user's seller", *owner, name)[:32], rate, burst, learns=True)
        others = list[Bucket]()
        if operation and operation.application_rate and not sandbox:
            all_sellers = self._ring.index("user's sellers", *owner[:-1], name)[:32]
            others.append(
                Bucket(prefix + all_sellers, operation.application_rate, operation.application_burst or burst)
            )
        if operation is None and not sandbox:
            unknown = self._ring.index("user's seller", *owner, _UNKNOWN)[:32]
            others.append(Bucket(prefix + unknown, UNKNOWN_RATE, UNKNOWN_BURST))
        first_stage = None
        if background:
            share = self._background_share
            small = max(1, int(burst * share))
            first_stage = Bucket(f"{primary.key}:batch", rate * share, small, share, learns=True)
        return BucketSet(primary, tuple(others), first_stage)


def shape_of(path: str) -> str:
    """Return a path without its ids and query: "GET /orders/v9/things/1?a=b" becomes "GET /orders/v9/things/*"."""
    segments = path.partition("?")[0].split("/")[:_MAX_SEGMENTS]
    return "/".join([part if part.endswith(" ") or not part or _WORD.fullmatch(part) else "*" for part in segments])


def _numbers(operation: Operation | None, *, sandbox: bool) -> tuple[float, int]:
    if sandbox:
        return SANDBOX_RATE, SANDBOX_BURST
    if operation is None or not operation.rate:
        return CAUTIOUS_RATE, CAUTIOUS_BURST
    return operation.rate, operation.burst or CAUTIOUS_BURST
