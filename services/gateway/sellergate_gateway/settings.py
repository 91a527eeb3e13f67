"""Settings of the gateway."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from sellergate_common.sealing import KeyRing, ring_text
from sellergate_common.settings import CacheSettings, Port, ServerSettings
from sellergate_common.site_settings import SiteSettings


class GatewaySettings(ServerSettings, CacheSettings, SiteSettings):
    """Where the services and Amazon are, and the keys of the shared cache."""

    gateway_port: Port = 50054
    account_target: str = "127.0.0.1:50051"
    token_target: str = "127.0.0.1:50052"
    iam_target: str = "127.0.0.1:50053"
    cache_keys_token: Annotated[
        SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")
    ]
    cache_keys_credentials: Annotated[
        SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")
    ]
    interactive_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """The share of each bucket that BATCH calls leave alone."""
    quota_mode: Literal["shared", "local", "shadow"] = "shared"
    """Where quota is kept: in Redis for all replicas; in this process, for a single one; in Redis, and nobody waits for it."""

    @property
    def token_ring(self) -> KeyRing:
        """The keys of the token cache; they also name the buckets of quota."""
        return KeyRing.parse(self.cache_keys_token.get_secret_value())

    @property
    def credentials_ring(self) -> KeyRing:
        """The keys of the credentials cache."""
        return KeyRing.parse(self.cache_keys_credentials.get_secret_value())
