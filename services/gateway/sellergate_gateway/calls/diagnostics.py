"""Tries an account stage by stage, and says where it fails: stored, token, role, call."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from sellergate_common.errors import Reason, SellergateError
from sellergate_common.sites import Sites

from sellergate_gateway.calls.pipeline import Calls, signs
from sellergate_gateway.credentials.ports import Credentials, Tokens
from sellergate_gateway.model import Account, Accounts
from sellergate_gateway.spapi.request import SpApiCall

# It needs no parameter and no role of the application's, and every seller may call it.
PROBE = "sellers/v1/getMarketplaceParticipations"


class Outcome(StrEnum):
    """The result of a stage."""

    OK = "OK"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `reason` is an error reason and a sentence; `seconds` is the time it took."""

    name: str
    outcome: Outcome
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Skip(Exception):
    """A stage that is not needed, and why."""

    why: str


class Checks:
    """Checks of accounts. `now` is monotonic."""

    def __init__(
        self,
        calls: Calls,
        accounts: Accounts,
        tokens: Tokens,
        credentials: Credentials,
        sites: Sites,
        now: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._accounts = accounts
        self._tokens = tokens
        self._credentials = credentials
        self._sites = sites
        self._now = now

    async def check(self, account_id: str, user: str, *, with_call: bool) -> tuple[str, list[Stage]]:
        """Return the account's state and its stages. Raises NotFound; every other failure is a stage's."""
        started = self._now()
        try:
            account = await self._calls.account(account_id, user)
        except SellergateError as error:
            if error.reason not in (Reason.ACCOUNT_INACTIVE, Reason.AUTHORIZATION_REVOKED):
                raise
            state = (await self._accounts.get(account_id)).state
            failed = Stage("stored", Outcome.FAILED, _said(error), self._now() - started)
            return state, [
                failed,
                *(_skipped(name, "the account cannot be used") for name in ("token", "role", "call")),
            ]
        stages = [self._stored(account, self._now() - started)]

        async def probe() -> None:
            if not with_call:
                raise Skip("not asked for")
            await self._calls.make(SpApiCall(account_id, operation=PROBE), user)

        async def role() -> None:
            if not signs(account):
                raise Skip("calls of this account are not signed")
            await self._credentials.get(account)

        for name, trial in (("token", lambda: self._tokens.get(account)), ("role", role), ("call", probe)):
            if any(stage.outcome is Outcome.FAILED for stage in stages):
                stages.append(_skipped(name, "a stage before it failed"))
            else:
                stages.append(await self._tried(name, trial))
        return account.state, stages

    def _stored(self, account: Account, seconds: float) -> Stage:
        signing_region = self._sites.of(account.marketplace, sandbox=account.sandbox).region.signing_region
        if account.region != signing_region:
            reason = (
                f"the account's region {account.region} chooses the STS alone; calls of marketplace {account.marketplace}"
                f" go to {signing_region} and are signed for it"
            )
            return Stage("stored", Outcome.WARNING, reason, seconds)
        return Stage("stored", Outcome.OK, "", seconds)

    async def _tried(self, name: str, trial: Callable[[], Awaitable[object]]) -> Stage:
        started = self._now()
        try:
            await trial()
        except Skip as skip:
            return _skipped(name, skip.why)
        except SellergateError as error:
            return Stage(name, Outcome.FAILED, _said(error), self._now() - started)
        return Stage(name, Outcome.OK, "", self._now() - started)


def _skipped(name: str, why: str) -> Stage:
    return Stage(name, Outcome.SKIPPED, why, 0.0)


def _said(error: SellergateError) -> str:
    return f"{error.reason}: {error.message}"
