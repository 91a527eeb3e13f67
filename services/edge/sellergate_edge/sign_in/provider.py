"""An OpenID Connect provider over aiohttp, with bounds of time and size."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

import aiohttp
from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_common.errors import InvalidRequest, Overloaded, Unavailable
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.observability.logs import get_logger
from sellergate_common.outbound.route import DIRECT, Route, user_agent
from sellergate_common.settings import secure_url_with_query

from sellergate_edge.sign_in.sign_in import Metadata, Tokens

PROVIDER_SECONDS = 5.0
METADATA_SECONDS = 3600.0
MAX_RESPONSE_BYTES = 128 * 1024
MAX_EXCHANGES = 16
"""Exchanges at once, because any client can start a sign-in."""
_MOST_TOKEN_CHARACTERS = 32 * 1024
_DISCOVERY = "/.well-known/openid-configuration"


class AiohttpProvider:
    """The `Provider` of an issuer. `now` is monotonic, in seconds."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: SecretStr | None,
        redirect_uri: str,
        now: Callable[[], float],
        route: Route = DIRECT,
    ) -> None:
        self._route = route
        self._issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._redirect_uri = redirect_uri
        self._now = now
        self._known: tuple[Metadata, float] | None = None
        self._flight: LocalFlight[Metadata] = LocalFlight(PROVIDER_SECONDS + 1.0)
        self._exchanges = 0

    async def metadata(self) -> Metadata:
        """Return the discovery document, at most METADATA_SECONDS old. Raises Unavailable."""
        if self._known is not None and self._now() - self._known[1] < METADATA_SECONDS:
            return self._known[0]
        return await self._flight.get("metadata", self._discover)

    async def exchange(self, code: str, verifier: str) -> Tokens:
        """Exchange a code. Raises InvalidRequest where the provider refuses it, Unavailable."""
        if self._exchanges >= MAX_EXCHANGES:
            raise Overloaded("Too many sign-ins are in progress. Try again.", retry_after=1.0)
        self._exchanges += 1
        try:
            metadata = await self.metadata()
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "code_verifier": verifier,
            }
            headers = {}
            if self._secret is not None and metadata.takes_basic:
                headers["Authorization"] = _basic(self._client_id, self._secret)
            else:
                form["client_id"] = self._client_id
                if self._secret is not None:
                    form["client_secret"] = self._secret.get_secret_value()
            status, document = await self._request("POST", metadata.token_endpoint, data=form, headers=headers)
        finally:
            self._exchanges -= 1
        if status != 200:  # noqa: PLR2004
            return self._refused(status, document)
        try:
            access_token = document.get("access_token")
            return Tokens(
                parsing.token_in(document, "id_token", _MOST_TOKEN_CHARACTERS),
                parsing.token_in(document, "access_token", _MOST_TOKEN_CHARACTERS) if access_token else "",
            )
        except parsing.ParseError as error:
            raise self._unavailable(str(error)) from None

    def _refused(self, status: int, document: dict[str, Any]) -> Tokens:
        """Raise InvalidRequest for a code that is used or too old, and Unavailable for every other refusal."""
        error = parsing.words_in(document, "error", 64)
        if error == "invalid_grant":
            raise InvalidRequest.of_field("code", "was refused by the provider; sign in again")
        raise self._unavailable(f"HTTP {status} {error}".strip())

    async def _discover(self) -> Metadata:
        status, document = await self._request("GET", self._issuer.rstrip("/") + _DISCOVERY)
        if status != 200:  # noqa: PLR2004
            raise self._unavailable(f"HTTP {status}")
        if document.get("issuer") != self._issuer:
            raise self._unavailable("the discovery document names another issuer")
        try:
            metadata = _metadata(document)
        except ValueError as error:
            raise self._unavailable(f"an endpoint of the discovery document {error}") from None
        self._known = metadata, self._now()
        return metadata

    async def _request(self, method: str, url: str, **given: Any) -> tuple[int, dict[str, Any]]:
        proxy = self._route.proxy_for(url)
        try:
            async with (
                asyncio.timeout(PROVIDER_SECONDS),
                aiohttp.ClientSession(
                    cookie_jar=aiohttp.DummyCookieJar(),
                    connector=aiohttp.TCPConnector(ssl=self._route.tls_context()),
                    headers={"User-Agent": user_agent()},
                ) as session,
                session.request(method, url, allow_redirects=False, proxy=proxy, **given) as response,
            ):
                body = await parsing.collect(response.content.iter_chunked(16 * 1024), MAX_RESPONSE_BYTES)
                kind = response.headers.get("Content-Type", "")
                return response.status, parsing.parse_object(body, most=MAX_RESPONSE_BYTES, content_type=kind)
        except Exception as error:  # noqa: BLE001
            # A provider may send anything, and aiohttp raises other errors than its own for some of it.
            raise self._unavailable(type(error).__name__) from None

    def _unavailable(self, cause: str) -> Unavailable:
        get_logger().warning("sign_in_unavailable", cause=cause)
        return Unavailable(f"The identity provider did not complete the request ({cause}). Try again.", retry_after=5.0)


def _basic(client_id: str, secret: SecretStr) -> str:
    """Return the header of HTTP Basic; each part is form-encoded first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret.get_secret_value())}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _metadata(document: Mapping[str, Any]) -> Metadata:
    """Return the metadata of a discovery document. Raises ValueError for a URL to which secrets must not be sent."""
    methods = document.get("token_endpoint_auth_methods_supported")
    end = document.get("end_session_endpoint")
    return Metadata(
        secure_url_with_query(str(document.get("authorization_endpoint"))),
        secure_url_with_query(str(document.get("token_endpoint"))),
        secure_url_with_query(str(end)) if end else "",
        # The default of a provider that names no methods (OpenID Connect Discovery 1.0, 3).
        not isinstance(methods, list) or "client_secret_basic" in methods,
    )
