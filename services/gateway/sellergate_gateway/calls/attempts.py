"""The attempts of one call: the work after each of Amazon's responses, and the decision on another attempt."""

from pydantic import SecretStr

from sellergate_gateway.calls.follow_ups import FollowUps
from sellergate_gateway.calls.outcomes import OUTCOMES, REPAIRABLE, Failure, Seen
from sellergate_gateway.calls.retries import Attempt, pause_before_retry
from sellergate_gateway.calls.sending import RESERVE_SECONDS, AttemptResult
from sellergate_gateway.calls.state import CallState, Dependencies
from sellergate_gateway.credentials.selection import SellerTokens
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.response import Kind, rate_limit_of, retry_after_of

_RATE_TOLERANCE = 0.001
# The present credentials may be as old as those that Amazon refused, such as those of another revision of the account.
_MOST_REPAIRS = 2


class Attempts:
    """An iterator over the attempts of one call: the first at once, each further one after a repair or a pause.

    It ends after the call's last attempt, by the table of outcomes, the deadline and the retry budget. It is a class, since the
    event loop would close an unfinished async generator in a separate task.
    """

    def __init__(
        self, state: CallState, *, dependencies: Dependencies, tokens: SellerTokens, follow_ups: FollowUps
    ) -> None:
        self._state = state
        self._dependencies = dependencies
        self._tokens = tokens
        self._follow_ups = follow_ups

    def __aiter__(self) -> "Attempts":
        return self

    async def __anext__(self) -> int:
        """Return the number of the next attempt, from 1, when it is due."""
        latest = self._state.latest
        if latest is not None and not await self._is_repeated(latest):
            raise StopAsyncIteration
        return self._state.attempts + 1

    async def learn(self, seen: Seen, response: AmazonResponse) -> None:
        """Learn the quota's rate, throttling and report types from a response. Failures do not change the outcome."""
        state, quota = self._state, self._dependencies.quota
        rate = rate_limit_of(response)
        if rate and state.buckets.primary.learns and abs(rate - state.rate) > state.rate * _RATE_TOLERANCE:
            await self._follow_ups.run("learn rate", quota.update_rate(state.buckets, rate), None)
            state.rate = rate
        if seen is Kind.SUCCESS and self._tokens.learns_from(state.target, state.token_spec):
            learning = self._tokens.learn(state.account, state.site, state.target, state.token_spec, response)
            await self._follow_ups.run("learn report types", learning, None)
        elif seen is Kind.THROTTLED:
            state.counts.throttled += 1
            retry_after = retry_after_of(response)
            pause = 1 / state.rate if retry_after is None else retry_after
            await self._follow_ups.run("note throttling", quota.on_throttled(state.buckets, pause), None)

    async def _is_repeated(self, latest: AttemptResult) -> bool:
        """Return whether another attempt is made, once it is due. Keep the last outcome for the case that it cannot be made."""
        state = self._state
        outcome = OUTCOMES[latest.seen]
        repairs = latest.seen in REPAIRABLE and self._is_repaired(latest.seen)
        if (state.call.as_is and not state.uncertain) or not repairs:
            state.last = latest
        if repairs and await self._repair():
            return True
        state.last, state.uncertain = latest, state.uncertain or outcome.failure is Failure.UNKNOWN
        if not outcome.is_repeated(idempotent=state.target.idempotent):
            return False
        return await self._pause(outcome.failure)

    async def _pause(self, failure: Failure) -> bool:
        """Wait before the next attempt. Return False if time, attempts or the retry budget are used up."""
        state, its = self._state, self._dependencies
        response = state.last.response if state.last else None
        retry_after = None if response is None else retry_after_of(response)
        left = its.left() - RESERVE_SECONDS
        attempt = Attempt(state.attempts, failure, state.target.idempotent, left, retry_after)
        pause = pause_before_retry(attempt, its.jitter)
        if pause is None or not its.budgets.spend(state.account.account_id):
            return False
        await its.sleep(pause)
        return True

    def _is_repaired(self, seen: Seen) -> bool:
        """Return whether the credentials are replaced: once per call, and once more for others that Amazon had ended as well."""
        state = self._state
        if not state.repairs:
            return True
        return state.repairs < _MOST_REPAIRS and seen is not Kind.FORBIDDEN and self._mark(seen) != state.refused

    def _mark(self, seen: Seen) -> SecretStr | None:
        """Return what identifies the credentials of the latest attempt that Amazon refused."""
        token, credentials = self._state.token, self._state.credentials
        if seen is Kind.CREDENTIALS_REFUSED:
            return None if credentials is None else credentials.access_key_id
        return None if token is None else token.value

    async def _repair(self) -> bool:
        """Replace the credentials that Amazon refused. Return False if there are no others to send.

        If their owner does not respond, the call is repeated too, and then gets that error instead of Amazon's refusal.
        """
        state = self._state
        latest, token, credentials = state.latest, state.token, state.credentials
        if latest is None or token is None:
            return False
        state.repairs += 1
        state.refused = self._mark(latest.seen)
        if latest.seen is Kind.CREDENTIALS_REFUSED:
            if credentials is None:
                return False
            invalidation = self._dependencies.credentials.invalidate(state.account, credentials)
            state.replacing = await self._follow_ups.run("invalidate credentials", invalidation, True)
            return state.replacing
        default = state.token_spec if latest.seen is Kind.TOKEN_REFUSED else None
        replacement = self._tokens.replace_refused(state.account, state.token_spec, token, latest.classification)
        token_spec = await self._follow_ups.run("replace token", replacement, default)
        state.token_spec = token_spec or state.token_spec
        state.replacing = token_spec is not None and latest.seen is Kind.TOKEN_REFUSED
        return token_spec is not None
