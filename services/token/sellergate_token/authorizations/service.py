"""The service of Amazon's website authorization: its start, with the URL of the consent page, and its completion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import SecretStr
from sellergate_amazon.seller_central import SellerCentral
from sellergate_common.clock import Clock
from sellergate_common.errors import InvalidRequest, NotAllowed, NotFound

from sellergate_token.authorizations.completion import AuthorizationCallback, Completion, digest_of
from sellergate_token.authorizations.consent import AuthorizationRequest, consent_page_of, consent_url, marketplace_of
from sellergate_token.authorizations.ports import Applications, ApplicationView, Pending, Sellers, States
from sellergate_token.tokens.exchanges import Exchanges

STATE_SECONDS = 600.0

_Account = TypeVar("_Account")


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """The URL of the consent page, and two secrets: the state passes through Amazon, the nonce stays in the browser's cookie."""

    url: SecretStr
    state: SecretStr
    browser_nonce: SecretStr


class Authorizations(Generic[_Account]):
    """Website authorizations. `new_secret` returns 256 random bits as text that fits into a URL."""

    def __init__(
        self,
        applications: Applications,
        sellers: Sellers[_Account],
        states: States,
        exchanges: Exchanges,
        seller_central: SellerCentral,
        clock: Clock,
        new_secret: Callable[[], str],
    ) -> None:
        self._applications = applications
        self._states = states
        self._seller_central = seller_central
        self._now = clock.wall
        self._new_secret = new_secret
        self._completion = Completion(applications, sellers, states, exchanges, clock)

    async def start(self, request: AuthorizationRequest, caller_user: str) -> PendingAuthorization:
        """Start an authorization. `caller_user` is the user that the caller acts for; empty: the caller may act for any user.

        Raises InvalidRequest, NotAllowed, NotFound, Unavailable.
        """
        if caller_user not in ("", request.user_id):
            raise NotAllowed("The edge acts for another user than the one in user_id; send that user's own id.")
        marketplace = marketplace_of(request)
        entry = consent_page_of(request, marketplace, self._seller_central)
        application = await self._application(request)
        state, nonce = SecretStr(self._new_secret()), SecretStr(self._new_secret())
        pending = Pending(
            user_id=request.user_id,
            application_id=application.application_id,
            marketplace=marketplace.code,
            partner_type="VENDOR" if request.vendor else "SELLER",
            redirect_uri=application.redirect_uris[0],
            nonce_digest=digest_of(nonce),
            entry="APPSTORE" if request.amazon_callback_uri else "WEBSITE",
            selling_partner_id=request.selling_partner_id,
            expire_time=self._now() + STATE_SECONDS,
        )
        await self._states.keep(state, pending, STATE_SECONDS)
        return PendingAuthorization(consent_url(entry, request, application, state), state, nonce)

    async def complete(self, callback: AuthorizationCallback, caller_user: str) -> _Account:
        """Carry out the callback of an authorization. Raises as Completion.complete does."""
        return await self._completion.complete(callback, caller_user)

    async def _application(self, request: AuthorizationRequest) -> ApplicationView:
        """Return an application that the user may connect sellers with. Raises NotFound, InvalidRequest."""
        application = await self._applications.view(request.application_id)
        if application.owner_user_id not in ("", request.user_id):
            raise NotFound.application(request.application_id)
        missing = [name for name in ("spapi_application_id", "redirect_uris") if not getattr(application, name)]
        if missing:
            raise InvalidRequest.of_field("application_id", f"names an application without {' and '.join(missing)}")
        return application
