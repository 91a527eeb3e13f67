"""The completion of an authorization, from the callback to the stored account. A callback may be repeated at any time.

A callback may arrive twice, may be fetched by a link scanner first, and may be interrupted at any point. Its progress is stored
under its state, so that a repeat continues from there and ends with the same result.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from pydantic import SecretStr
from sellergate_common.clock import Clock
from sellergate_common.context import time_left
from sellergate_common.errors import (
    RULES,
    FieldViolation,
    InvalidRequest,
    OutOfTime,
    Reason,
    SellergateError,
    Unavailable,
)
from sellergate_common.flights.local_flight import OVERDUE_SECONDS, LocalFlight
from sellergate_common.observability.logs import get_logger

from sellergate_token.authorizations.ports import (
    Applications,
    Connection,
    Pending,
    Progress,
    Refusal,
    Sellers,
    States,
    StoredAuthorization,
)
from sellergate_token.ports import Code, LwaClient, RefreshToken
from sellergate_token.tokens.exchanges import Exchanges, changed_token

# Sellers must authorize again after 365 days (developer docs, "renew authorizations").
AUTHORIZATION_SECONDS = 365 * 24 * 3600.0
# The seconds for which a callback may be repeated after the first one.
REMEMBERED_SECONDS = 600.0
# One process works on a callback for at most these seconds; then another process may continue.
BUSY_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.2
_LATE = "The authorization is being completed; reload the page to see its result."
# Reasons that a repeat would get again. Other errors may pass, and the progress is kept for the next attempt.
_FINAL = frozenset({Reason.INVALID_REQUEST, Reason.AUTHORIZATION_REVOKED})

_Account = TypeVar("_Account")


@dataclass(frozen=True, slots=True)
class AuthorizationCallback:
    """The parameters and the cookie of a callback. The nonce is empty if the browser has no cookie."""

    state: SecretStr
    browser_nonce: SecretStr
    code: SecretStr
    selling_partner_id: str


class Completion(Generic[_Account]):
    """The completion of authorizations. Each callback is carried out once."""

    def __init__(
        self, applications: Applications, sellers: Sellers[_Account], states: States, exchanges: Exchanges, clock: Clock
    ) -> None:
        self._applications = applications
        self._sellers = sellers
        self._states = states
        self._exchanges = exchanges
        self._clock = clock
        # The browser may disconnect at any moment, and LWA redeems a code only once: a callback outlives its call.
        self._flight: LocalFlight[_Account] = LocalFlight(BUSY_SECONDS - OVERDUE_SECONDS, _LATE)

    async def complete(self, callback: AuthorizationCallback, caller_user: str) -> _Account:
        """Redeem the code of an authorization and store the account. A repeat returns the same account.

        Raises InvalidRequest, NotFound, PreconditionFailed, Unavailable, OutOfTime; then nothing was stored. A call from another
        browser or of another user changes nothing.
        """
        give_up = self._clock.monotonic() + time_left(BUSY_SECONDS)
        while True:
            kept = self._check_caller(await self._states.find(callback.state), callback, caller_user)
            progress = kept.progress
            if progress is not None:
                _check_same(progress, callback)
                if progress.refusal is not None:
                    raise _error_of(progress.refusal)
                if progress.account_id:
                    return await self._sellers.account(progress.account_id)
            if progress is None or progress.busy_until <= self._clock.wall():
                mine = await self._states.advance(callback.state, kept, self._begin(kept, callback), REMEMBERED_SECONDS)
                if mine is not None:
                    return await self._flight.get(digest_of(callback.state), partial(self._carry_out, mine, callback))
            if self._clock.monotonic() + LOOK_AGAIN_SECONDS >= give_up:
                raise OutOfTime(_LATE)
            await self._clock.sleep(LOOK_AGAIN_SECONDS)

    def _check_caller(
        self, kept: StoredAuthorization | None, callback: AuthorizationCallback, caller_user: str
    ) -> StoredAuthorization:
        """Return the stored authorization if it belongs to this browser and user. Raises InvalidRequest, and changes nothing."""
        if kept is None or (kept.progress is None and kept.pending.expire_time <= self._clock.wall()):
            raise _unknown_state()
        pending = kept.pending
        if not hmac.compare_digest(pending.nonce_digest, digest_of(callback.browser_nonce)):
            raise InvalidRequest.of_field(
                "browser_nonce", "must be that of the browser that began; begin again in this one"
            )
        if caller_user not in ("", pending.user_id):
            raise InvalidRequest.of_field("state", "belongs to another user; begin again")
        if pending.selling_partner_id not in ("", callback.selling_partner_id):
            raise InvalidRequest.of_field("selling_partner_id", "is not the one that the Appstore named; begin again")
        return kept

    def _begin(self, kept: StoredAuthorization, callback: AuthorizationCallback) -> Progress:
        return Progress(
            kept.pending,
            callback.selling_partner_id,
            digest_of(callback.code),
            busy_until=self._clock.wall() + BUSY_SECONDS,
            refresh_token=kept.progress.refresh_token if kept.progress else None,
        )

    async def _carry_out(self, kept: StoredAuthorization, callback: AuthorizationCallback) -> _Account:
        """Continue from the stored progress. Tokens of LWA are stored before they are used."""
        assert kept.progress is not None  # noqa: S101  (it was advanced)
        step = _Step(self._states, callback.state, kept, kept.progress)
        pending = kept.pending
        try:
            client = await self._applications.client(pending.application_id)
            token = step.progress.refresh_token
            if token is None:
                token = await self._redeem(client, Code(callback.code, pending.redirect_uri))
                await step.reach(replace(step.progress, refresh_token=token))
            # The token is used once before it replaces the stored one, which may still work.
            used = await self._exchanges.exchange(client, RefreshToken(token))
            sent = changed_token(used.refresh_token, token)
            if sent is not None:
                token = sent
                await step.reach(replace(step.progress, refresh_token=sent))
            account_id, account = await self._sellers.connect(self._connection(pending, callback, token))
        except SellergateError as error:
            await step.reach(_progress_after(step.progress, error))
            raise
        await step.reach(replace(step.progress, busy_until=0.0, refresh_token=None, account_id=account_id))
        return account

    async def _redeem(self, client: LwaClient, code: Code) -> SecretStr:
        refresh_token = (await self._exchanges.exchange(client, code)).refresh_token
        if refresh_token is None:
            raise Unavailable("LWA sent no refresh token for the code; begin again.", reason=Reason.AMAZON_UNAVAILABLE)
        return refresh_token

    def _connection(self, pending: Pending, callback: AuthorizationCallback, token: SecretStr) -> Connection:
        return Connection(
            user_id=pending.user_id,
            selling_partner_id=callback.selling_partner_id,
            marketplace=pending.marketplace,
            application_id=pending.application_id,
            refresh_token=token,
            authorization_expire_time=self._clock.wall() + AUTHORIZATION_SECONDS,
        )


@dataclass
class _Step:
    """The progress of one caller. A caller whose progress cannot be stored continues: only a repeat would miss it."""

    states: States
    state: SecretStr
    kept: StoredAuthorization | None
    progress: Progress

    async def reach(self, progress: Progress) -> None:
        """Store the progress."""
        self.progress = progress
        if self.kept is None:
            return
        try:
            self.kept = await self.states.advance(self.state, self.kept, progress, REMEMBERED_SECONDS)
        except Unavailable as error:
            get_logger().warning("authorization_progress_lost", reason=error.reason)
            self.kept = None


def digest_of(secret: SecretStr) -> str:
    """Return the SHA-256 of a browser's nonce or of a code in hex."""
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()


def _check_same(progress: Progress, callback: AuthorizationCallback) -> None:
    """Raise InvalidRequest for another code or seller than those of the first callback, whose result it would get.

    While the result is open, a second consent on Amazon's page may return a new code of the same seller.
    """
    is_same_code = hmac.compare_digest(progress.code_digest, digest_of(callback.code))
    is_open = not progress.account_id and progress.refusal is None
    if progress.selling_partner_id != callback.selling_partner_id or not (is_same_code or is_open):
        raise _unknown_state()


def _progress_after(progress: Progress, error: SellergateError) -> Progress:
    """Return the progress to store after an error: a final refusal itself, or everything for the next attempt."""
    if error.reason not in _FINAL:
        return replace(progress, busy_until=0.0)
    violations = tuple((violation.field, violation.description) for violation in error.violations)
    refusal = Refusal(error.reason, error.message, violations)
    return replace(progress, busy_until=0.0, refresh_token=None, refusal=refusal)


def _error_of(refusal: Refusal) -> SellergateError:
    reason = Reason(refusal.reason)
    violations = [FieldViolation(field, description) for field, description in refusal.violations]
    return RULES[reason].error(refusal.message, reason=reason, violations=violations)


def _unknown_state() -> InvalidRequest:
    return InvalidRequest.of_field("state", "is not known, was used, or is older than 10 minutes; begin again")
