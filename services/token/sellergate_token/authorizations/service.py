"""Decides about Amazon's website authorization: where a browser is sent, and whether what it brings back may be stored."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import SecretStr
from sellergate_amazon.centrals import Centrals
from sellergate_common.errors import InvalidRequest, NotAllowed, NotFound, Reason, Unavailable

from sellergate_token.authorizations.consent import Beginning, address_of, entry_of, marketplace_of
from sellergate_token.authorizations.ports import Applications, ApplicationView, Connection, Pending, Sellers, States
from sellergate_token.ports import Code, LwaClient, RefreshToken
from sellergate_token.tokens.exchanges import Exchanges

STATE_SECONDS = 600.0
# Sellers must authorize again after 365 days (developer docs, "renew authorizations").
AUTHORIZATION_SECONDS = 365 * 24 * 3600.0

_Account = TypeVar("_Account")


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the two secrets: the state goes through Amazon, the nonce stays in the browser's cookie."""

    url: SecretStr
    state: SecretStr
    browser_nonce: SecretStr


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back with the browser; the nonce is empty where it has no cookie."""

    state: SecretStr
    browser_nonce: SecretStr
    code: SecretStr
    selling_partner_id: str


class Authorizations(Generic[_Account]):
    """Authorizations from their beginning to the account. `new_secret` makes 256 random bits, fit for a URL."""

    def __init__(
        self,
        applications: Applications,
        sellers: Sellers[_Account],
        states: States,
        exchanges: Exchanges,
        centrals: Centrals,
        now: Callable[[], float],
        new_secret: Callable[[], str],
    ) -> None:
        self._applications = applications
        self._sellers = sellers
        self._states = states
        self._exchanges = exchanges
        self._centrals = centrals
        self._now = now
        self._new_secret = new_secret

    async def start(self, beginning: Beginning, caller_user: str) -> Begun:
        """Begin an authorization. `caller_user` is the user that the caller acts for; empty: it may begin for any.

        Raises InvalidRequest, NotAllowed, NotFound, Unavailable.
        """
        if caller_user not in ("", beginning.user_id):
            raise NotAllowed("The edge acts for another user than the one in user_id.")
        marketplace = marketplace_of(beginning)
        entry = entry_of(beginning, marketplace, self._centrals)
        application = await self._application(beginning)
        state, nonce = SecretStr(self._new_secret()), SecretStr(self._new_secret())
        pending = Pending(
            user_id=beginning.user_id,
            application_id=application.application_id,
            marketplace=marketplace.code,
            partner_type="VENDOR" if beginning.vendor else "SELLER",
            redirect_uri=application.redirect_uris[0],
            nonce_digest=_digest(nonce),
            entry="APPSTORE" if beginning.amazon_callback_uri else "WEBSITE",
            selling_partner_id=beginning.selling_partner_id,
            expire_time=self._now() + STATE_SECONDS,
        )
        await self._states.keep(state, pending, STATE_SECONDS)
        return Begun(address_of(entry, beginning, application, state), state, nonce)

    async def complete(self, returned: Returned, caller_user: str) -> _Account:
        """Redeem the code of an authorization that was begun here, and store the account. The state is used up in any case.

        Raises InvalidRequest, NotFound, PreconditionFailed, Unavailable, OutOfTime; then nothing was stored.
        """
        pending = await self._states.take(returned.state)
        if pending is None or pending.expire_time <= self._now():
            raise InvalidRequest.of_field("state", "is not known, was used, or is older than 10 minutes; begin again")
        if not hmac.compare_digest(pending.nonce_digest, _digest(returned.browser_nonce)):
            raise InvalidRequest.of_field(
                "browser_nonce", "must be that of the browser that began; begin again in this one"
            )
        if caller_user not in ("", pending.user_id):
            raise InvalidRequest.of_field("state", "belongs to another user; begin again")
        if pending.selling_partner_id not in ("", returned.selling_partner_id):
            raise InvalidRequest.of_field("selling_partner_id", "is not the one that the Appstore named; begin again")
        client = await self._applications.client(pending.application_id)
        connection = Connection(
            user_id=pending.user_id,
            selling_partner_id=returned.selling_partner_id,
            marketplace=pending.marketplace,
            application_id=pending.application_id,
            refresh_token=await self._worked(client, Code(returned.code, pending.redirect_uri)),
            authorization_expire_time=self._now() + AUTHORIZATION_SECONDS,
        )
        return await self._sellers.connect(connection)

    async def _worked(self, client: LwaClient, code: Code) -> SecretStr:
        """Return the refresh token that a code brings, after it has worked once: what is stored must never be worse than before."""
        refresh_token = (await self._exchanges.exchange(client, code)).refresh_token
        if refresh_token is None:
            raise Unavailable("LWA sent no refresh token for the code; begin again.", reason=Reason.AMAZON_UNAVAILABLE)
        await self._exchanges.exchange(client, RefreshToken(refresh_token))
        return refresh_token

    async def _application(self, beginning: Beginning) -> ApplicationView:
        """Return an application of the user's own or a shared one that can be authorized. Raises NotFound, InvalidRequest."""
        application = await self._applications.view(beginning.application_id)
        if application.owner_user_id not in ("", beginning.user_id):
            raise NotFound.application(beginning.application_id)
        missing = [name for name in ("spapi_application_id", "redirect_uris") if not getattr(application, name)]
        if missing:
            raise InvalidRequest.of_field("application_id", f"names an application without {' and '.join(missing)}")
        return application


def _digest(nonce: SecretStr) -> str:
    return hashlib.sha256(nonce.get_secret_value().encode()).hexdigest()
