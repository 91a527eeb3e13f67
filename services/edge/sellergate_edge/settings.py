"""Settings of the edge."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from sellergate_amazon.centrals import Centrals
from sellergate_common.settings import Port, TlsSettings, secure_url

SHORTEST_SECRET_BYTES = 32
Url = Annotated[str, AfterValidator(secure_url)]


class EdgeSettings(TlsSettings):
    """Where the services are, and how people prove who they are: exactly one of a shared secret and a JWKS."""

    edge_port: Port = 3001
    bind_host: str = "127.0.0.1"
    gateway_target: str = "127.0.0.1:50054"
    account_target: str = "127.0.0.1:50051"
    token_target: str = "127.0.0.1:50052"
    public_url: Url = "https://localhost"
    """Where browsers reach the edge; by http, which is for this very machine alone, cookies are not Secure."""
    oauth_login_page: Url | None = None
    """The frontend's page for sellers whom the Appstore sends: it knows the user and begins the authorization."""
    oauth_done_page: Url | None = None
    """The frontend's page for the end of an authorization; without one, the edge shows a page of its own."""
    seller_central_url: Url | None = None
    """One base URL in place of every Seller Central, for local runs; the token service has the same setting."""
    vendor_central_url: Url | None = None
    """The same for Vendor Central."""
    jwt_secret: SecretStr | None = None
    """For HS256; 32 bytes at least."""
    jwks_url: Url | None = None
    """For RS256 and ES256."""
    jwt_audience: Annotated[str, Field(min_length=1)]
    jwt_issuer: Annotated[str, Field(min_length=1)]
    drain_seconds: Annotated[int, Field(gt=0, le=300)] = 10

    @property
    def centrals(self) -> Centrals:
        """Which pages are Amazon's."""
        return Centrals(self.seller_central_url or "", self.vendor_central_url or "")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.jwt_secret is None) == (self.jwks_url is None):
            raise ValueError("set exactly one of SELLERGATE_JWT_SECRET and SELLERGATE_JWKS_URL")
        if self.jwt_secret and len(self.jwt_secret.get_secret_value().encode()) < SHORTEST_SECRET_BYTES:
            raise ValueError(f"SELLERGATE_JWT_SECRET: must have at least {SHORTEST_SECRET_BYTES} bytes")
        return self
