"""The choice of a call's token: a seller's, the application's own, or a Restricted Data Token."""

from dataclasses import dataclass

from sellergate_common.errors import AmazonRefused, InvalidRequest
from sellergate_common.sites import Site

from sellergate_gateway.credentials.ports import Tokens
from sellergate_gateway.credentials.report_types import ReportDocuments
from sellergate_gateway.credentials.restricted_tokens import RestrictedTokens, resource_of
from sellergate_gateway.model import AccessToken, Account
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import RestrictedResource as Resource
from sellergate_gateway.spapi.request import SpApiCall, Target
from sellergate_gateway.spapi.response import Classification, Kind


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """The kind of token for a call. All fields empty: the seller's."""

    scope: str = ""
    """The scope of the application's own token."""
    resources: tuple[Resource, ...] = ()
    """The resources of a Restricted Data Token."""
    ambiguous: bool = False
    """Whether Amazon's pages contradict each other about the restriction; if Amazon refuses the token, the seller's is used."""
    unspecified: Resource | None = None
    """A possibly restricted resource: a report document whose type is unknown, or is not in the list of restricted types."""
    unlisted: str = ""
    """The type of that document, recorded if the document needs a Restricted Data Token."""


SELLER = TokenSpec()
_REJECTED = "400"


class SellerTokens:
    """Tokens of sellers and of applications, which suffice for fetching Restricted Data Tokens."""

    fetches_tokens = True
    """Responses to calls with these tokens may hold tokens; such calls are the gateway's own, never a caller's."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token_spec(self, account: Account, site: Site, target: Target, call: SpApiCall) -> TokenSpec:  # noqa: ARG002
        """Return the kind of token that a call needs. Raises InvalidRequest."""
        return TokenSpec(scope=target.grantless_scope) if target.grantless_scope else SELLER

    async def get(self, account: Account, token_spec: TokenSpec) -> AccessToken:
        """Return a token. Raises what its source raises."""
        if token_spec.scope:
            return await self._tokens.grantless(account, token_spec.scope)
        return await self._tokens.get(account)

    async def replace_refused(
        self, account: Account, token_spec: TokenSpec, token: AccessToken, classification: Classification
    ) -> TokenSpec | None:
        """Drop the token that Amazon refused. Return the kind to call once more with, or None."""
        if classification.kind is not Kind.TOKEN_REFUSED:
            return None
        if token_spec.scope:
            return token_spec if await self._tokens.invalidate_grantless(account, token_spec.scope, token) else None
        return token_spec if await self._tokens.invalidate(account, token) else None

    def learns_from(self, target: Target, token_spec: TokenSpec) -> bool:  # noqa: ARG002
        """Return whether a success of the call holds types of reports to store."""
        return False

    async def learn(
        self, account: Account, site: Site, target: Target, token_spec: TokenSpec, response: AmazonResponse
    ) -> None:
        """Store the types of reports that a success names."""


class CallTokens(SellerTokens):
    """Tokens of all kinds, chosen by the catalogue and by the data that the caller requests."""

    fetches_tokens = False

    def __init__(self, tokens: Tokens, restricted: RestrictedTokens, documents: ReportDocuments) -> None:
        super().__init__(tokens)
        self._restricted = restricted
        self._documents = documents

    async def token_spec(self, account: Account, site: Site, target: Target, call: SpApiCall) -> TokenSpec:
        """Return the kind of token that a call needs. Raises InvalidRequest."""
        operation, data_elements = target.operation, call.data_elements
        if call.restricted_resources:
            return await self._named_resources_spec(call)
        restrictable = data_elements or (operation is not None and operation.restricted)
        resource = resource_of(target, data_elements) if restrictable else None
        if operation is None or not operation.restricted:
            return await super().token_spec(account, site, target, call)
        if not operation.document:
            resources = (resource,) if resource else ()
            return TokenSpec(resources=resources, ambiguous=operation.restricted_basis == "ambiguous")
        own = Resource(target.method, target.path)
        report_type, restricted = await self._documents.restriction_of(account, site, target)
        if restricted:
            # If Amazon refuses such a token for the document with 400, the seller's token may give access.
            return TokenSpec(resources=(own,), ambiguous=True)
        return TokenSpec(unspecified=own, unlisted=report_type)

    async def get(self, account: Account, token_spec: TokenSpec) -> AccessToken:
        """Return a token. Raises what its source raises."""
        if not token_spec.resources:
            return await super().get(account, token_spec)
        try:
            return await self._restricted.get(account, token_spec.resources)
        except AmazonRefused as error:
            if token_spec.ambiguous and error.metadata.get("http_status") == _REJECTED:
                return await super().get(account, token_spec)
            raise

    async def replace_refused(
        self, account: Account, token_spec: TokenSpec, token: AccessToken, classification: Classification
    ) -> TokenSpec | None:
        """Drop the token that Amazon refused. Return the kind to call once more with, or None."""
        if token_spec.resources and classification.kind is Kind.TOKEN_REFUSED:
            return token_spec if await self._restricted.forget(account, token_spec.resources, token) else None
        if token_spec.unspecified is not None and classification.kind is Kind.FORBIDDEN:
            return TokenSpec(resources=(token_spec.unspecified,), ambiguous=True, unlisted=token_spec.unlisted)
        return await super().replace_refused(account, token_spec, token, classification)

    async def _named_resources_spec(self, call: SpApiCall) -> TokenSpec:
        """Return the token of the resources that the caller names. Raises InvalidRequest."""
        if call.data_elements:
            raise InvalidRequest.of_field("data_elements", "must be left out when restricted_resources is given")
        self._restricted.check(call.restricted_resources)
        return TokenSpec(resources=call.restricted_resources)

    def learns_from(self, target: Target, token_spec: TokenSpec) -> bool:
        """Return whether a success names types of reports, or shows that a type is restricted."""
        return bool(token_spec.unlisted and token_spec.resources) or self._documents.has_report_types(target)

    async def learn(
        self, account: Account, site: Site, target: Target, token_spec: TokenSpec, response: AmazonResponse
    ) -> None:
        """Store the types of reports that a success names, and a type that has proved restricted."""
        if token_spec.unlisted and token_spec.resources:
            await self._documents.remember_restricted(account, site, token_spec.unlisted)
        await self._documents.update_report_types(account, site, target, response)
