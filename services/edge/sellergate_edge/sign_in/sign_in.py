"""One sign-in, from the redirect to the provider to the token that the console then sends.

The edge stores nothing in between: its state is sealed into a ticket that only the tab keeps which started the sign-in. A code
from another tab, browser or user does not fit the ticket, so that no link can sign its reader in.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.errors import InvalidRequest

from sellergate_edge.authn.authenticator import Authenticator

TICKET_SECONDS = 600.0
"""Time for a user to sign in at the provider."""
_PLACE = "sign-in"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The needed part of a provider's discovery document."""

    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str
    takes_basic: bool


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """The tokens that the provider returns for a code."""

    id_token: str
    access_token: str


class Provider(Protocol):
    """An OpenID Connect provider."""

    async def metadata(self) -> Metadata:
        """Return its discovery document. Raises Unavailable."""

    async def exchange(self, code: str, verifier: str) -> Tokens:
        """Exchange a code. Raises InvalidRequest where the provider refuses it, Unavailable."""


class IdTokens(Protocol):
    """A check of ID tokens."""

    async def check(self, tokens: Tokens, nonce: str) -> None:
        """Check that the ID token is for this client and has the nonce. Raises Unauthenticated, Unavailable."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A started sign-in: the URL for the browser, and the ticket for the tab that started it."""

    url: str
    state: str
    ticket: str


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """The Bearer token of a session, and the URL that ends it at the provider; empty: none."""

    token: str
    end_session_url: str


@dataclass(frozen=True, slots=True)
class Client:
    """The console as a client of the provider."""

    client_id: str
    issuer: str
    scope: str
    redirect_uri: str
    home: str
    uses_access_token: bool


class SignIn:
    """The sign-ins of one edge. `now` is the wall clock; `new_token` returns 256 random bits as text."""

    def __init__(
        self,
        client: Client,
        provider: Provider,
        id_tokens: IdTokens,
        authenticator: Authenticator,
        ring: KeyRing,
        now: Callable[[], float],
        new_token: Callable[[], str],
    ) -> None:
        self._client = client
        self._provider = provider
        self._id_tokens = id_tokens
        self._authenticator = authenticator
        self._ring = ring
        self._now = now
        self._new_token = new_token

    async def begin(self) -> Begun:
        """Start a sign-in. Raises Unavailable."""
        metadata = await self._provider.metadata()
        state, nonce, verifier = self._new_token(), self._new_token(), self._new_token()
        url = prepare_grant_uri(
            metadata.authorization_endpoint,
            self._client.client_id,
            "code",
            redirect_uri=self._client.redirect_uri,
            scope=self._client.scope,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        ticket = {"state": state, "nonce": nonce, "verifier": verifier, "end": self._now() + TICKET_SECONDS}
        return Begun(url, state, self._ring.seal(json.dumps(ticket), _PLACE))

    async def complete(self, ticket: str, state: str, code: str, issuer: str) -> SignedIn:
        """Complete a sign-in with the parameters of the provider's redirect; `issuer` is empty where it had none (RFC 9207).

        Raises InvalidRequest, Unauthenticated, Unavailable.
        """
        known = self._open(ticket)
        if not hmac.compare_digest(str(known["state"]).encode(), state.encode()):
            raise InvalidRequest.of_field("state", "belongs to another sign-in; sign in again")
        if self._now() >= known["end"]:
            raise InvalidRequest.of_field(
                "ticket", f"was issued more than {TICKET_SECONDS / 60:.0f} minutes ago; sign in again"
            )
        if issuer and issuer != self._client.issuer:
            raise InvalidRequest.of_field("iss", "names another provider; sign in again")
        tokens = await self._provider.exchange(code, str(known["verifier"]))
        await self._id_tokens.check(tokens, str(known["nonce"]))
        token = tokens.access_token if self._client.uses_access_token else tokens.id_token
        await self._authenticator.authenticate({"authorization": f"Bearer {token}"})
        return SignedIn(token, await self._end_session_url(tokens.id_token))

    async def _end_session_url(self, id_token: str) -> str:
        endpoint = (await self._provider.metadata()).end_session_endpoint
        if not endpoint:
            return ""
        given = {"client_id": self._client.client_id, "post_logout_redirect_uri": self._client.home}
        return str(add_params_to_uri(endpoint, [("id_token_hint", id_token), *given.items()]))

    def _open(self, ticket: str) -> Mapping[str, Any]:
        try:
            opened: dict[str, Any] = json.loads(self._ring.open(ticket, _PLACE).get_secret_value())
        except SealError:
            raise InvalidRequest.of_field("ticket", "was not issued by this console; sign in again") from None
        return opened
