"""The checks before every SP-API operation, in Amazon's order: HTTP, route, token, region, signature, quota, arguments.

Sources of the responses: Amazon's change log (GET with a body), its issue threads (the details of each 403), its usage
plans (429 without a rate header).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sellergate_amazon.marketplaces import REGIONS, SIGNING_SERVICE, Region, marketplace_by_id
from sellergate_amazon.operations import Catalogue, Match

from sellergate_simulator.clock import Clock
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.http.responses import DENIED, AmazonError, denied, invalid_input
from sellergate_simulator.identity.signatures import SignatureRefused, SignedRequest, is_signed, verify
from sellergate_simulator.identity.tokens import AccessToken, AccessTokens
from sellergate_simulator.spapi.buckets import Buckets, Limit
from sellergate_simulator.spapi.calls import Call, Query
from sellergate_simulator.state import AwsKey, Seller, World

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

EXPIRED_TOKEN = "The access token you provided has expired."
_LONGEST_USER_AGENT = 500
# A seller's token deletes the seller's subscriptions too (amzn/selling-partner-api-models#4753).
_OF_EITHER_TOKEN = frozenset({"notifications/v1/deleteSubscriptionById"})
_MARKETPLACE_PARAMETERS = ("marketplaceIds", "MarketplaceIds", "marketplaceId", "MarketplaceId")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that arrived at one of the SP-API addresses."""

    region: Region | None
    """The region of the address; None for the sandbox."""
    method: str
    raw_path: str
    raw_query: str
    headers: "CIMultiDictProxy[str]"
    body: bytes
    hostname: str


@dataclass(slots=True)
class Gate:
    """The admission of calls; a refusal raises AmazonError."""

    catalogue: Catalogue
    world: World
    tokens: AccessTokens
    buckets: Buckets
    counters: Counters
    clock: Clock

    def match(self, arrival: Arrival) -> Match:
        """Return the operation of a request, and count the call."""
        found = self.catalogue.match(arrival.method, arrival.raw_path)
        # The operations of sandbox and production are separate.
        here = found and (found.operation.sandbox if arrival.region is None else not found.operation.sandbox_only)
        if found is None or not here:
            headers = {"x-amzn-ErrorType": "MissingAuthenticationTokenException"}
            raise AmazonError(403, "MissingAuthenticationToken", DENIED, headers=headers)
        self.counters.operation(found.operation.name).calls += 1
        return found

    def limit(self, arrival: Arrival, match: Match) -> Limit:
        """Return the quota of an operation at this address."""
        return self.buckets.limit(match.operation, sandbox=arrival.region is None)

    def admit(self, arrival: Arrival, match: Match) -> Call:
        """Return the call of a request, after all checks, and take its quota."""
        if len(arrival.headers.get("User-Agent", "")) > _LONGEST_USER_AGENT:
            raise invalid_input("The User-Agent header is longer than 500 characters.")
        now = self.clock.wall()
        token = self._token(arrival, now)
        resource = token.resource_for(arrival.method, arrival.raw_path)
        if token.resources and resource is None:
            raise denied()
        scope, scopes = match.operation.grantless_scope, token.scope.split() if token.scope else [None]
        if scope not in scopes and not (token.scope is None and match.operation.name in _OF_EITHER_TOKEN):
            raise denied()
        seller = self._seller(token, arrival.region)
        signer = self._signer(arrival, now)
        self._take_quota(arrival, match, token)
        query = Query(arrival.raw_query)
        if seller is not None and arrival.region is not None:
            _check_marketplaces(query, seller, arrival.region)
        return Call(
            operation=match.operation,
            path_params=match.path_params,
            region=arrival.region,
            token=token,
            resource=resource,
            seller=seller,
            signer=signer,
            raw_path=arrival.raw_path,
            query=query,
            headers=arrival.headers,
            body=arrival.body,
            hostname=arrival.hostname,
            now=now,
        )

    def _token(self, arrival: Arrival, now: float) -> AccessToken:
        text = arrival.headers.get("x-amz-access-token")
        if text is None:
            raise denied("Access token is missing in the request header.")
        token = self.tokens.find(text)
        if token is None:
            raise denied("The access token you provided is revoked, malformed or invalid.")
        if token.expires_at <= now:
            raise denied(EXPIRED_TOKEN, "AccessDeniedException")
        return token

    def _seller(self, token: AccessToken, region: Region | None) -> Seller | None:
        if token.selling_partner_id is None:
            return None
        seller = self.world.sellers.get(token.selling_partner_id)
        if seller is None or not seller.marketplaces_in(region):
            raise denied()
        return seller

    def _signer(self, arrival: Arrival, now: float) -> AwsKey | None:
        """Return the key that signed a request; None for an unsigned one. Raises AmazonError for an invalid signature."""
        if not is_signed(arrival.headers):
            self.counters.unsigned_calls += 1
            return None
        regions = REGIONS if arrival.region is None else (arrival.region,)
        request = SignedRequest(arrival.method, arrival.raw_path, arrival.raw_query, arrival.headers, arrival.body)
        try:
            signer = verify(
                request,
                service=SIGNING_SERVICE,
                regions={region.signing_region for region in regions},
                key_of=self.world.aws_keys.get,
                now=now,
            )
        except SignatureRefused as refused:
            unauthorized = refused.kind in {"unknown_key", "expired_session"}
            code = "Unauthorized" if unauthorized else "InvalidSignature"
            headers = {"x-amzn-ErrorType": f"{code}Exception"}
            raise AmazonError(403, code, refused.message, headers=headers) from None
        self.counters.signed_calls += 1
        return signer

    def _take_quota(self, arrival: Arrival, match: Match, token: AccessToken) -> None:
        sandbox = arrival.region is None
        place = "sandbox" if arrival.region is None else arrival.region.name
        operation = "" if sandbox else match.operation.name
        key = (place, token.application_id, token.selling_partner_id or "", operation)
        if not self.buckets.take(key, self.limit(arrival, match), self.clock.steady()):
            raise quota_exceeded(self.counters, match)


def quota_exceeded(counters: Counters, match: Match) -> AmazonError:
    """Return the 429 of an operation, and count it as throttled."""
    counters.operation(match.operation.name).throttled += 1
    return AmazonError(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


def has_body_on_get(arrival: Arrival) -> bool:
    """Return whether a GET announces a body, which Amazon's proxies refuse with HTML since 2023-06-05."""
    length = arrival.headers.get("Content-Length", "0")
    return arrival.method == "GET" and (length != "0" or "Transfer-Encoding" in arrival.headers or bool(arrival.body))


def _check_marketplaces(query: Query, seller: Seller, region: Region) -> None:
    for name in _MARKETPLACE_PARAMETERS:
        for marketplace_id in query.many(name):
            if marketplace_by_id(marketplace_id) is None:
                raise invalid_input(f"Invalid {name}: {marketplace_id:.40}")
            if marketplace_id not in seller.marketplaces_in(region):
                raise denied()
