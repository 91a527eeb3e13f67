"""Settings of the edge."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, SecretStr, field_validator, model_validator
from sellergate_common.central_settings import CentralSettings
from sellergate_common.crypto.sealing import ring_text
from sellergate_common.identity.operator_settings import OperatorSettings
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.settings import CacheSettings, Port, TlsSettings, names, secure_url, secure_url_with_query

from sellergate_edge.listening.connections import Proxies

SHORTEST_SECRET_BYTES = 32
Url = Annotated[str, AfterValidator(secure_url)]


class EdgeSettings(CacheSettings, TlsSettings, CentralSettings, OutboundSettings, OperatorSettings):
    """Settings of the edge. Users are authenticated by exactly one of a shared secret and a JWKS."""

    edge_port: Port = 3001
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port for probes, in plain text, with only /healthz and /readyz; 0: none."""
    edge_tls_cert_file: FilePath | None = None
    """The public certificate with its chain, as PEM; read again when it changes. Without one the edge listens in plain text."""
    edge_tls_key_file: FilePath | None = None
    max_connections: Annotated[int, Field(ge=1)] = 1000
    """Most open connections of the public port."""
    max_connections_of_address: Annotated[int, Field(ge=1)] = 250
    """Most open connections of one address (IPv6: one /64) that SELLERGATE_FORWARDED_ALLOW_IPS does not list."""
    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = 75
    """Seconds that an idle connection of the public port is kept. The idle time-out of a load balancer must be shorter."""
    bind_host: str = "127.0.0.1"
    gateway_target: str = "127.0.0.1:50054"
    account_target: str = "127.0.0.1:50051"
    token_target: str = "127.0.0.1:50052"
    public_url: Url = "https://localhost"
    """URL by which browsers reach the edge. With http, which is allowed only for this machine, cookies are not Secure."""
    oauth_login_page: Url | None = None
    """The frontend's page for sellers that come from the Appstore; it identifies the user and starts the authorization."""
    oauth_done_page: Url | None = None
    """The frontend's page after an authorization; without one, the edge shows its own page."""
    jwt_secret: SecretStr | None = None
    """Secret for HS256, at least 32 bytes."""
    jwks_url: Annotated[str, AfterValidator(secure_url_with_query)] | None = None
    """URL of the keys for RS256 and ES256; a query is sent unchanged."""
    jwt_audience: Annotated[str, Field(min_length=1)]
    jwt_issuer: Annotated[str, Field(min_length=1)]
    sign_in_client_id: Annotated[str | None, Field(min_length=1)] = None
    """The console's client id at the OpenID Connect provider, which is SELLERGATE_JWT_ISSUER; without one, users paste a token."""
    sign_in_client_secret: SecretStr | None = None
    """Secret of a confidential client; PKCE is used with and without it."""
    sign_in_scope: Annotated[str, Field(pattern="(^| )openid( |$)")] = "openid"
    sign_in_token: Literal["id_token", "access_token"] = "id_token"
    """Which of the provider's tokens the console sends to the REST API: one with SELLERGATE_JWT_AUDIENCE in its `aud`."""
    dropin_keys: Annotated[SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")]
    """Keys that sign the tokens of SDKs: `kid base64url(64 bytes)` lines, newest first."""
    dropin_max_wait: Annotated[float, Field(ge=0, le=20)] = 2.0
    """Seconds that an SDK's call may wait for quota before it gets 429, where x-sellergate-max-wait names none."""
    cors_origins: str = ""
    """Origins of frontends at other hosts, as in https://app.example.com, separated by commas."""
    user_rate: Annotated[float, Field(gt=0)] = 200.0
    """Requests per second of one user, over all replicas of the edge."""
    user_burst: Annotated[int, Field(ge=1)] = 1000
    """Requests that a user may send at once (burst)."""
    forwarded_allow_ips: str = ""
    """Addresses and networks of proxies whose X-Forwarded-For is trusted, separated by commas; *: all."""
    drain_seconds: Annotated[int, Field(gt=0, le=300)] = 10

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of frontends at other hosts."""
        return tuple(sorted(names(self.cors_origins)))

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, text: str) -> str:
        for origin in names(text):
            if secure_url(origin) and urlsplit(origin).path:
                raise ValueError("must list origins without a path, as in https://app.example.com")
        return text

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        try:
            Proxies(text)
        except ValueError:
            raise ValueError("must list addresses and networks, as in 10.0.0.0/8, separated by commas") from None
        return text

    @model_validator(mode="after")
    def _sign_in_fits(self) -> Self:
        if self.sign_in_client_id is None:
            return self
        if self.jwks_url is None:
            raise ValueError("SELLERGATE_SIGN_IN_CLIENT_ID: set SELLERGATE_JWKS_URL to the same provider's keys")
        try:
            secure_url(self.jwt_issuer)
        except ValueError as error:
            raise ValueError(f"SELLERGATE_SIGN_IN_CLIENT_ID: SELLERGATE_JWT_ISSUER {error}") from None
        if self.sign_in_token == "id_token" and self.jwt_audience != self.sign_in_client_id:
            raise ValueError(
                "SELLERGATE_SIGN_IN_CLIENT_ID: is the audience of ID tokens, so SELLERGATE_JWT_AUDIENCE must have the same value;"
                " or set SELLERGATE_SIGN_IN_TOKEN to access_token"
            )
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.edge_tls_cert_file is None) != (self.edge_tls_key_file is None):
            raise ValueError("set both of SELLERGATE_EDGE_TLS_CERT_FILE and SELLERGATE_EDGE_TLS_KEY_FILE, or none")
        return self

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.jwt_secret is None) == (self.jwks_url is None):
            raise ValueError("set exactly one of SELLERGATE_JWT_SECRET and SELLERGATE_JWKS_URL")
        if self.jwt_secret and len(self.jwt_secret.get_secret_value().encode()) < SHORTEST_SECRET_BYTES:
            raise ValueError(f"SELLERGATE_JWT_SECRET: must have at least {SHORTEST_SECRET_BYTES} bytes")
        return self
