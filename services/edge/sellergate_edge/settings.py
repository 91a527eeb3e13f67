"""Settings of the edge."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from sellergate_common.settings import Port, TlsSettings, secure_url

SHORTEST_SECRET_BYTES = 32


class EdgeSettings(TlsSettings):
    """Where the services are, and how people prove who they are: exactly one of a shared secret and a JWKS."""

    edge_port: Port = 3001
    bind_host: str = "127.0.0.1"
    gateway_target: str = "127.0.0.1:50054"
    account_target: str = "127.0.0.1:50051"
    token_target: str = "127.0.0.1:50052"
    jwt_secret: SecretStr | None = None
    """For HS256; 32 bytes at least."""
    jwks_url: Annotated[str, AfterValidator(secure_url)] | None = None
    """For RS256 and ES256."""
    jwt_audience: Annotated[str, Field(min_length=1)]
    jwt_issuer: Annotated[str, Field(min_length=1)]
    drain_seconds: Annotated[int, Field(gt=0, le=300)] = 10

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.jwt_secret is None) == (self.jwks_url is None):
            raise ValueError("set exactly one of SELLERGATE_JWT_SECRET and SELLERGATE_JWKS_URL")
        if self.jwt_secret and len(self.jwt_secret.get_secret_value().encode()) < SHORTEST_SECRET_BYTES:
            raise ValueError(f"SELLERGATE_JWT_SECRET: must have at least {SHORTEST_SECRET_BYTES} bytes")
        return self
