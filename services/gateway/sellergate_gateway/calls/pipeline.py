"""The pipeline of one call: a loop over its attempts, whose iterator is the retry policy."""

from sellergate_common.context import bind
from sellergate_common.errors import NotAllowed, SellergateError
from sellergate_common.sites import Site

from sellergate_gateway.calls.attempts import Attempts
from sellergate_gateway.calls.follow_ups import FollowUps
from sellergate_gateway.calls.preparing import Preparing
from sellergate_gateway.calls.sending import Reader, send
from sellergate_gateway.calls.state import CallResult, CallState, Dependencies
from sellergate_gateway.credentials.selection import SellerTokens
from sellergate_gateway.model import Account
from sellergate_gateway.spapi.marketplaces import check_marketplaces
from sellergate_gateway.spapi.request import SpApiCall, resolve
from sellergate_gateway.spapi.response import Kind


class Calls:
    """Calls of SP-API. `tokens` chooses the kind of token."""

    def __init__(self, *, dependencies: Dependencies, tokens: SellerTokens) -> None:
        self._dependencies = dependencies
        self._tokens = tokens
        self._preparing = Preparing(dependencies=dependencies, tokens=tokens)
        self._follow_ups = FollowUps(dependencies.left)

    async def make(self, call: SpApiCall, user: str, reader: Reader | None = None) -> CallResult:
        """Make a call for `user` (empty: for any). Raises what the contract of GatewayService.Call names.

        A success that `reader` cannot parse counts as a response that did not arrive.
        """
        its = self._dependencies
        state = await self._begin(call, user, reader)
        attempts = Attempts(state, dependencies=its, tokens=self._tokens, follow_ups=self._follow_ups)
        async for _ in attempts:
            try:
                request, seconds = await self._preparing.prepare(state)
            except SellergateError as error:
                if not state.is_decided_in_spite_of(error):
                    raise
                break
            state.attempts += 1
            state.counts.requests += 1
            host, owner = state.site.base_url, state.account.user_id
            end = await send(its.amazon, its.breakers, host, owner, request, seconds, its.left, state.reader)
            if end.response is not None:
                await attempts.learn(end.seen, end.response)
            if end.seen is Kind.SUCCESS:
                return state.finish(end)
            state.latest = end
        return state.finish(state.last)

    async def account(self, account_id: str, user: str, *, grantless: bool = False) -> Account:
        """Return an account that the user owns and that can be used. Raises NotFound, PreconditionFailed.

        `grantless`: for a call that needs no seller's authorization, such as the end of a former seller's subscriptions.
        """
        return await self._preparing.account(account_id, user, grantless=grantless)

    def site(self, account: Account) -> Site:
        """Return the site of an account's calls that name no other environment. Raises InvalidRequest."""
        return self._dependencies.sites.of(account.marketplace, sandbox=account.sandbox)

    async def _begin(self, call: SpApiCall, user: str, reader: Reader | None) -> CallState:
        """Return the state of a call that may be made. Raises InvalidRequest, NotFound, PreconditionFailed, NotAllowed."""
        its = self._dependencies
        target = resolve(call, its.catalogue)
        if target.operation:
            bind(operation=target.operation.name)
        if target.hands_out_a_token and not self._tokens.fetches_tokens:
            raise NotAllowed(
                "Amazon's tokens stay inside Sellergate: operations that need a Restricted Data Token are sent with one; name"
                " data_elements or restricted_resources. Services that SELLERGATE_TOKEN_CALLERS names get one by"
                " GetRestrictedDataToken."
            )
        checked_at, account = its.left(), await self._preparing.account_of(call, target, user)
        site = its.sites.of(account.marketplace, sandbox=account.sandbox if call.sandbox is None else call.sandbox)
        check_marketplaces(target.query, site, "query" if call.raw_query is None else "raw_query")
        buckets = its.buckets.of(
            account,
            site,
            target.operation,
            f"{target.method} {target.path}",
            background=call.background,
            grantless=bool(target.grantless_scope),
        )
        token_spec = await self._tokens.token_spec(account, site, target, call)
        counts = its.counts.of(target.operation.name if target.operation else "")
        counts.calls += 1
        its.budgets.record_call(account.account_id)
        rate = buckets.primary.rate
        return CallState(call, user, target, account, checked_at, site, buckets, reader, counts, rate, token_spec)
