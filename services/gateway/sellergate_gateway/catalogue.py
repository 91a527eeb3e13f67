"""The catalogue for callers: look-up, search and pages of operations, and the quota of an account."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sellergate_amazon.operations import Catalogue, Operation
from sellergate_common.errors import InvalidRequest, NotFound, Reason, Resource
from sellergate_common.sites import Sites

from sellergate_gateway.model import Account
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.ports import Bucket, BucketState, Limiter

DEFAULT_SIZE = 50
MAX_SIZE = 500


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """The filter of a list of operations. Empty fields and None match all."""

    search: str = ""
    api: str = ""
    version: str = ""
    deprecated: bool | None = None
    restricted: bool | None = None
    grantless: bool | None = None

    def fits(self, operation: Operation) -> bool:
        """Return whether an operation passes the filter."""
        search = self.search.lower()
        return (
            (search in operation.name.lower() or search in f"{operation.method} {operation.path}".lower())
            and self.api in ("", operation.api)
            and self.version in ("", operation.version)
            and self.deprecated in (None, operation.deprecated)
            and self.restricted in (None, operation.restricted)
            and self.grantless in (None, bool(operation.grantless_scope))
        )


class Operations:
    """Operations of SP-API."""

    def __init__(self, catalogue: Catalogue, sites: Sites, buckets: Buckets, quota: Limiter) -> None:
        self._catalogue = catalogue
        self._sites = sites
        self._buckets = buckets
        self._quota = quota
        self._in_order = sorted(catalogue, key=lambda operation: operation.name)

    def get(self, name: str) -> Operation:
        """Return an operation by its name, or by an id that only one API has. Raises NotFound."""
        operation = self._catalogue.get(name)
        if operation is None:
            raise NotFound(
                "The catalogue has no such operation; give api/version/operationId.",
                reason=Reason.OPERATION_NOT_FOUND,
                resource=Resource("operation", name),
            )
        return operation

    def page(self, narrowed: OperationFilter, size: int, token: str) -> tuple[Sequence[Operation], str]:
        """Return one page of a list, and the token of the next. A token is the last name of the page before."""
        if token and self._catalogue.get(token) is None:
            raise InvalidRequest.of_field("page_token", "must be the next_page_token of the previous page")
        found = [operation for operation in self._in_order if operation.name > token and narrowed.fits(operation)]
        page = found[: min(size or DEFAULT_SIZE, MAX_SIZE)]
        return page, page[-1].name if len(found) > len(page) else ""

    async def quotas(
        self, account: Account, names: Sequence[str], user: str, *, sandbox: bool
    ) -> list[tuple[Bucket, BucketState]]:
        """Return an account's bucket for each operation, with its state. Raises NotFound before any bucket is read.

        Users of a shared application cannot make calls for the application itself, and do not see their bucket.
        """
        site = self._sites.of(account.marketplace, sandbox=sandbox)
        for_itself = not (user and account.shared_application)
        buckets = [
            self._buckets.of(
                account, site, operation, background=False, grantless=bool(operation.grantless_scope) and for_itself
            ).primary
            for operation in map(self.get, names)
        ]
        states = await asyncio.gather(*map(self._quota.peek, buckets))
        return list(zip(buckets, states, strict=True))
