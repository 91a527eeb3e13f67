"""The rules of AWS credentials: the roles that may be assumed, and the use of cached credentials."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial

from pydantic import SecretStr
from sellergate_common.cache.entries import Counts
from sellergate_common.context import Caller
from sellergate_common.errors import InvalidRequest, NotAllowed

from sellergate_iam.ports import Accounts, AwsCredentials, CallersRole, CredentialsCache, Role, Session, Sts

# STS accepts sessions of 15 minutes to 12 hours; the role's own maximum may be less (AWS STS API reference, AssumeRole).
SHORTEST_SECONDS = 900
LONGEST_SECONDS = 43_200
DEFAULT_SECONDS = 3_600
_LONGEST_NAME = 64


class Credentials:
    """Credentials of roles. `allowed` are patterns of role ARNs ("arn:aws:iam::*:role/sp-api-*"); none: all are allowed."""

    def __init__(
        self,
        accounts: Accounts,
        sts: Sts,
        cache: CredentialsCache,
        allowed: Sequence[str],
    ) -> None:
        self._accounts = accounts
        self._sts = sts
        self._cache = cache
        self._allowed = tuple(allowed)
        self._assumptions = 0
        self._failures = 0

    async def for_account(
        self, account_id: str, name: str, seconds: int | None, expected_revision: int = 0, region: str = ""
    ) -> AwsCredentials:
        """Return credentials of an account's role, of `expected_revision` or a later one; their `revision` is the role's.

        Credentials with the caller's own session name, duration or region are not cached. Raises NotFound, PreconditionFailed,
        InvalidRequest, NotAllowed, RoleRejected, Unavailable.
        """
        role = await self._accounts.role(account_id, expected_revision)
        if not name and seconds is None and region in ("", role.region):
            return replace(await self.of(role), revision=role.revision)
        self._check(role.arn)
        role = replace(role, region=region or role.region)
        assumed = await self._assume(role, _session(name or _own_name(role), seconds))
        return replace(assumed, revision=role.revision)

    async def of(self, role: Role) -> AwsCredentials:
        """Return credentials of an account's role, cached ones if they live long enough. Raises as `for_account` does."""
        self._check(role.arn)
        found = await self._cache.obtain(role, None, partial(self._assume, role, _session(_own_name(role), None)))
        return found.value

    async def for_role(self, arn: str, region: str, name: str, seconds: int | None, caller: Caller) -> AwsCredentials:
        """Return credentials of a role by its ARN, which only operators may name, cached for this caller.

        Raises InvalidRequest, NotAllowed, RoleRejected, Unavailable, OutOfTime.
        """
        self._check(arn)
        role, session = Role(arn, "", region), _session(name or "sellergate-operator", seconds)
        key = CallersRole(role, session, caller)
        return (await self._cache.obtain(key, None, partial(self._assume, role, session))).value

    async def invalidate(self, account_id: str, access_key_id: SecretStr) -> bool:
        """Drop credentials that AWS refused, if they are still the cached ones."""
        return await self._cache.drop_if(await self._accounts.role(account_id), access_key_id)

    async def clear(self, account_id: str) -> int:
        """Drop the credentials of one account, or with an empty id all credentials. Return their number."""
        if account_id:
            return int(await self._cache.drop(await self._accounts.role(account_id)))
        return await self._cache.clear()

    async def stats(self) -> tuple[Counts, int]:
        """Return the counts since the start, and the number of cached credentials. Raises Unavailable."""
        return self.counts(), await self._cache.count()

    def counts(self) -> Counts:
        """Return the counts since the start. Fetches are calls of STS."""
        return replace(self._cache.counts, fetches=self._assumptions, failures=self._failures)

    async def _assume(self, role: Role, session: Session) -> AwsCredentials:
        self._assumptions += 1
        try:
            return await self._sts.assume(role, session)
        except BaseException:
            self._failures += 1
            raise

    def _check(self, arn: str) -> None:
        if self._allowed and not any(fnmatchcase(arn, pattern) for pattern in self._allowed):
            raise NotAllowed(
                "SELLERGATE_ROLE_ARN_ALLOW does not allow this role to be assumed. Name another role, or let the operator add it."
            )


def _own_name(role: Role) -> str:
    return f"sellergate-{role.account_id}"[:_LONGEST_NAME]


def _session(name: str, seconds: int | None) -> Session:
    if seconds is not None and not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise InvalidRequest.of_field("duration", f"must be from {SHORTEST_SECONDS} to {LONGEST_SECONDS} s")
    return Session(name, seconds or DEFAULT_SECONDS)
