"""Restricted Data Tokens: the calls that need one, and its fetch by the gateway's own pipeline, once for all callers.

Amazon's guide to the Tokens API: a generic path ("/orders/v0/orders/{orderId}/address") gives access to every matching resource
of the seller, a specific one only to itself; getReportDocument is always specific; three operations of Orders v0 take data
elements.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_amazon.operations import Catalogue, Operation
from sellergate_common.cache.entries import Entries
from sellergate_common.context import detached
from sellergate_common.errors import AmazonRefused, Conflict, FieldViolation, InvalidRequest, Reason, Unavailable

from sellergate_gateway.credentials.cool_off import CoolOff
from sellergate_gateway.credentials.refusals import issued_at
from sellergate_gateway.model import AccessToken, Account
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import RestrictedResource as Resource
from sellergate_gateway.spapi.request import SpApiCall, Target
from sellergate_gateway.spapi.response import object_of

CREATE = "tokens/2021-03-01/createRestrictedDataToken"
MAX_RESOURCES = 50
MOST_LIFE_SECONDS = 24 * 3600.0
_ATTEMPTS = 3
# Amazon's status for missing access is 400 (amzn/selling-partner-api-docs#806).
_NO_ACCESS = "does not have access"


@dataclass(frozen=True, slots=True)
class RestrictedKey:
    """The cache key of a token: account, revision and resources, regardless of their order."""

    account_id: str
    revision: int
    resources: tuple[Resource, ...]


class CallResponse(Protocol):
    """A call with its response from Amazon."""

    @property
    def response(self) -> AmazonResponse:
        """Amazon's response."""

    @property
    def revision(self) -> int:
        """The account's revision at the call."""


class _OtherRevision(Conflict):
    """A token of another revision of the account than the requested one."""

    def __init__(self, revision: int) -> None:
        super().__init__("The account has changed since it was read. Try again.")
        self.revision = revision


Make = Callable[[SpApiCall, str], Awaitable[CallResponse]]
RestrictedEntries = Entries[RestrictedKey, AccessToken, Hashable]


def resource_of(target: Target, data_elements: tuple[str, ...]) -> Resource | None:
    """Return the resource that a call's token must cover; None: no restricted one. Raises InvalidRequest for unknown elements."""
    operation = target.operation
    allowed = operation.restricted_data_elements if operation else ()
    unknown = [element for element in data_elements if element not in allowed]
    if unknown:
        takes = f"takes {', '.join(allowed)}" if allowed else "takes none; leave data_elements out"
        raise InvalidRequest.of_field("data_elements", f"{unknown[0]:.64} is none of this operation, which {takes}")
    if operation is None or not operation.restricted or operation.document:
        return None
    if allowed and not data_elements:
        # Without a Restricted Data Token, Amazon returns the rest of the response.
        return None
    return Resource(operation.method, operation.path, tuple(sorted(set(data_elements))))


class RestrictedTokens:
    """A cache of Restricted Data Tokens. `make` is the pipeline of calls; `now` the wall clock in seconds since the epoch."""

    def __init__(self, entries: RestrictedEntries, catalogue: Catalogue, make: Make, now: Callable[[], float]) -> None:
        self._entries = entries
        self._catalogue = catalogue
        self._make = make
        self._now = now
        self._cool_off = CoolOff(now)

    async def get(self, account: Account, resources: tuple[Resource, ...]) -> AccessToken:
        """Return a token for these resources. Raises what a call raises; AMAZON_DENIED names the missing role."""
        key = _key(account, resources)
        for _ in range(_ATTEMPTS):
            try:
                return (await self._entries.obtain(key, None, partial(self._fetch, key))).value
            except _OtherRevision as error:
                key = replace(key, revision=max(key.revision, error.revision))
        raise Unavailable("The account changed several times during the request. Try again.", retry_after=1.0)

    async def get_checked(self, account: Account, resources: tuple[Resource, ...]) -> AccessToken:
        """Return a token for resources that a caller names. Raises InvalidRequest for a resource that is not restricted."""
        self.check(resources)
        return await self.get(account, resources)

    def check(self, resources: tuple[Resource, ...]) -> None:
        """Raise InvalidRequest for a resource that is not restricted."""
        violations = [
            FieldViolation(f"resources[{index}].{field}", why)
            for index, resource in enumerate(resources)
            if (found := self._problem(resource))
            for field, why in (found,)
        ]
        if violations:
            problems = "; ".join(f"{violation.field} {violation.description}" for violation in violations)
            raise InvalidRequest(problems, violations=violations)

    async def forget(self, account: Account, resources: tuple[Resource, ...], token: AccessToken) -> bool:
        """Drop a token that Amazon refused, if it is the current one. Return whether to call again."""
        key = _key(account, resources)

        async def drop() -> None:
            await self._entries.drop_if(key, fingerprint(token))

        digest = hashlib.sha256(fingerprint(token).encode()).hexdigest()
        return await self._cool_off.renew(repr(key), digest, issued_at(token), drop)

    async def _fetch(self, key: RestrictedKey) -> AccessToken:
        body = {"restrictedResources": [_document(resource) for resource in key.resources]}
        # Amazon issues them only in production, for the sandbox too (SP-API sandbox page).
        call = SpApiCall(key.account_id, operation=CREATE, body=json.dumps(body).encode(), sandbox=False)
        requested_at = self._now()
        try:
            with detached():
                done = await self._make(call, "")
        except AmazonRefused as error:
            if error.reason is Reason.AMAZON_DENIED or _names_missing_access(error):
                raise _denied_error(error, key.resources) from None
            raise
        token = _read(done.response, requested_at)
        if done.revision != key.revision:
            if done.revision > key.revision:
                await self._entries.put(replace(key, revision=done.revision), token)
            raise _OtherRevision(done.revision)
        return token

    def _problem(self, resource: Resource) -> tuple[str, str] | None:
        found = self._catalogue.match(resource.method, resource.path)
        operation: Operation | None = found.operation if found else None
        if operation is None or not operation.restricted:
            return "path", "is not a restricted resource of this method; leave it out"
        if operation.document and "{" in resource.path:
            return (
                "path",
                "must be specific, because Amazon gives access to documents one by one; name the document's id",
            )
        unknown = [element for element in resource.data_elements if element not in operation.restricted_data_elements]
        return ("data_elements", f"{unknown[0]:.64} is none of this operation") if unknown else None


def fingerprint(token: AccessToken) -> str:
    """Return a mark that distinguishes a token from others in the cache; it stays in this process."""
    return token.value.get_secret_value()


def _key(account: Account, resources: tuple[Resource, ...]) -> RestrictedKey:
    return RestrictedKey(account.account_id, account.revision, tuple(sorted(set(resources))))


def _document(resource: Resource) -> dict[str, Any]:
    document: dict[str, Any] = {"method": resource.method, "path": resource.path}
    return document | {"dataElements": list(resource.data_elements)} if resource.data_elements else document


def _read(response: AmazonResponse, requested_at: float) -> AccessToken:
    try:
        document = object_of(response)
        # Amazon's old guide wraps the token in `payload`; the model does not.
        document = parsing.object_of(document.get("payload", document))
        life = min(parsing.seconds_in(document, "expiresIn"), MOST_LIFE_SECONDS)
        return AccessToken(SecretStr(parsing.token_in(document, "restrictedDataToken")), requested_at + life, life)
    except parsing.ParseError:
        raise Unavailable(
            "Amazon's response holds no Restricted Data Token; try again.",
            reason=Reason.AMAZON_UNAVAILABLE,
            metadata={"operation": CREATE},
            retry_after=1.0,
        ) from None


def _names_missing_access(error: AmazonRefused) -> bool:
    """Return whether Amazon's 400 is about missing access: "does not have access to one or more requested data elements"."""
    words = f"{error.metadata.get('amazon_message', '')} {error.metadata.get('amazon_details', '')}"
    return _NO_ACCESS in words.lower()


def _denied_error(error: AmazonRefused, resources: tuple[Resource, ...]) -> AmazonRefused:
    what = ", ".join(f"{resource.method} {resource.path}" for resource in resources[:3])
    return AmazonRefused(
        f"Amazon gives no Restricted Data Token for {what}. The application needs the role for this data (Direct-to-Consumer"
        " Shipping, Tax Invoicing, …) and the seller must authorize it again after it has got one; or leave data_elements out.",
        reason=Reason.AMAZON_DENIED,
        metadata=error.metadata,
        help_url=error.help_url,
    )
