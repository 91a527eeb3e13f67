"""A check of an account in stages (stored, token, role, call), with the stage that fails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from sellergate_common.cache.entries import Expiring
from sellergate_common.clock import Clock
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.sites import Sites

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.credentials.ports import Credentials, Tokens
from sellergate_gateway.model import Account, Accounts, signs
from sellergate_gateway.spapi.request import SpApiCall

# An operation that needs no parameter and no role of the application, and that every seller may call.
PROBE = "sellers/v1/getMarketplaceParticipations"
# The beginning of a stage's reason by which the account becomes AUTHORIZATION_REVOKED.
_LOST = (f"{Reason.AUTHORIZATION_REVOKED}:", f"{Reason.AUTHORIZATION_MISMATCH}:")
# A value issued less than these seconds ago was issued for this check; the clocks of two machines differ by as much.
_NEW_SECONDS = 2.0


class Outcome(StrEnum):
    """The result of a stage."""

    OK = "OK"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    WARNING = "WARNING"
    CACHED = "CACHED"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `reason` is an error reason and a sentence; `seconds` is the time it took.

    `age` is the age of the result in seconds; None if this check obtained it.
    """

    name: str
    outcome: Outcome
    reason: str
    seconds: float
    age: float | None = None


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The permitted actions of a check: an exchange of the refresh token, a call."""

    exchange: bool = True
    call: bool = True


@dataclass(frozen=True, slots=True)
class Skip(Exception):
    """A skipped stage, with the reason."""

    why: str


@dataclass(frozen=True, slots=True)
class Cached:
    """A cached result: its age in seconds, and the reason for which there is no new one."""

    age: float
    why: str


class Checks:
    """Checks of accounts."""

    def __init__(
        self,
        calls: Calls,
        accounts: Accounts,
        tokens: Tokens,
        credentials: Credentials,
        sites: Sites,
        clock: Clock,
    ) -> None:
        self._calls = calls
        self._accounts = accounts
        self._tokens = tokens
        self._credentials = credentials
        self._sites = sites
        self._now = clock.monotonic
        self._wall = clock.wall

    async def check(self, account_id: str, user: str, wanted: CheckOptions = CheckOptions()) -> tuple[str, list[Stage]]:
        """Return the account's state after the check, and the stages. Raises NotFound; every other failure is a stage."""
        started = self._now()
        try:
            account = await self._calls.account(account_id, user)
        except SellergateError as error:
            if error.reason not in (Reason.ACCOUNT_INACTIVE, Reason.AUTHORIZATION_REVOKED):
                raise
            state = (await self._accounts.get(account_id)).state
            failed = Stage("stored", Outcome.FAILED, _reason_of(error), self._now() - started)
            return state, [
                failed,
                *(_skipped(name, "the account cannot be used") for name in ("token", "role", "call")),
            ]
        stages = [self._stored_stage(account, self._now() - started)]

        async def call() -> Cached | None:
            if not wanted.call:
                raise Skip("not asked for")
            await self._calls.make(SpApiCall(account_id, operation=PROBE), user)
            return None

        trials = (
            ("token", lambda: self._token(account, exchange=wanted.exchange)),
            ("role", lambda: self._role(account)),
            ("call", call),
        )
        for name, trial in trials:
            if any(stage.outcome is Outcome.FAILED for stage in stages):
                stages.append(_skipped(name, "a stage before it failed"))
            else:
                stages.append(await self._run_stage(name, trial))
        revoked = any(stage.reason.startswith(_LOST) for stage in stages)
        return "AUTHORIZATION_REVOKED" if revoked else account.state, stages

    async def _token(self, account: Account, *, exchange: bool) -> Cached | None:
        if exchange:
            verified = await self._tokens.verify(account)
            why = "the account was verified less than 60 s ago; verify it again later"
            return None if verified.exchanged else Cached(verified.age, why)
        return self._cached(await self._tokens.get(account), "no exchange was requested")

    async def _role(self, account: Account) -> Cached | None:
        if not signs(account):
            raise Skip("calls of this account are not signed")
        return self._cached(await self._credentials.get(account), "the role was assumed before")

    def _cached(self, value: Expiring, why: str) -> Cached | None:
        """Return whether a value was issued before this check, by its age."""
        age = self._wall() - (value.expire_time - value.life)
        return Cached(age, why) if age > _NEW_SECONDS else None

    def _stored_stage(self, account: Account, seconds: float) -> Stage:
        signing_region = self._sites.of(account.marketplace, sandbox=account.sandbox).region.signing_region
        # Without a role no call is signed, and the region chooses nothing.
        has_role = bool(account.iam_role_arn) and account.signing != "NONE"
        if has_role and account.region != signing_region:
            reason = (
                f"the account's region {account.region} chooses only the STS; calls of marketplace {account.marketplace}"
                f" go to {signing_region} and are signed for it"
            )
            return Stage("stored", Outcome.WARNING, reason, seconds)
        return Stage("stored", Outcome.OK, "", seconds)

    async def _run_stage(self, name: str, trial: Callable[[], Awaitable[Cached | None]]) -> Stage:
        started = self._now()
        try:
            cached = await trial()
        except Skip as skip:
            return _skipped(name, skip.why)
        except SellergateError as error:
            return Stage(name, Outcome.FAILED, _reason_of(error), self._now() - started)
        if cached is not None:
            return Stage(name, Outcome.CACHED, cached.why, self._now() - started, cached.age)
        return Stage(name, Outcome.OK, "", self._now() - started)


def _skipped(name: str, why: str) -> Stage:
    return Stage(name, Outcome.SKIPPED, why, 0.0)


def _reason_of(error: SellergateError) -> str:
    return f"{error.reason}: {error.message}"
