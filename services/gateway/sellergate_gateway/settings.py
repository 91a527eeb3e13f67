"""Settings of the gateway."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from sellergate_amazon.marketplaces import REGIONS
from sellergate_common.sealing import KeyRing, ring_text
from sellergate_common.settings import CacheSettings, Port, ServerSettings, secure_url

Url = Annotated[str, AfterValidator(secure_url)]


class GatewaySettings(ServerSettings, CacheSettings):
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
    spapi_endpoint: Url | None = None
    """One server for all regions, in place of Amazon's; a region's own setting comes before it."""
    spapi_endpoint_na: Url | None = None
    spapi_endpoint_eu: Url | None = None
    spapi_endpoint_fe: Url | None = None
    spapi_sandbox_endpoint: Url | None = None
    spapi_sandbox_endpoint_na: Url | None = None
    spapi_sandbox_endpoint_eu: Url | None = None
    spapi_sandbox_endpoint_fe: Url | None = None
    interactive_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """The share of each bucket that BATCH calls leave alone."""

    @property
    def token_ring(self) -> KeyRing:
        """The keys of the token cache; they also name the buckets of quota."""
        return KeyRing.parse(self.cache_keys_token.get_secret_value())

    @property
    def credentials_ring(self) -> KeyRing:
        """The keys of the credentials cache."""
        return KeyRing.parse(self.cache_keys_credentials.get_secret_value())

    @property
    def production(self) -> dict[str, str]:
        """The base URL of each region."""
        own = {"NA": self.spapi_endpoint_na, "EU": self.spapi_endpoint_eu, "FE": self.spapi_endpoint_fe}
        return {region.name: own[region.name] or self.spapi_endpoint or f"https://{region.host}" for region in REGIONS}

    @property
    def sandbox(self) -> dict[str, str]:
        """The base URL of each region's sandbox."""
        own = {
            "NA": self.spapi_sandbox_endpoint_na,
            "EU": self.spapi_sandbox_endpoint_eu,
            "FE": self.spapi_sandbox_endpoint_fe,
        }
        return {
            region.name: own[region.name] or self.spapi_sandbox_endpoint or f"https://{region.sandbox_host}"
            for region in REGIONS
        }
