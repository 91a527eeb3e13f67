"""The addresses of SP-API, Amazon's by default. The gateway calls them, and the iam service signs for them."""

from typing import Annotated

from pydantic import AfterValidator
from sellergate_amazon.marketplaces import REGIONS

from sellergate_common.settings import Settings, secure_url

Url = Annotated[str, AfterValidator(secure_url)]


class SiteSettings(Settings):
    """Base URLs of SP-API and of its sandbox."""

    spapi_endpoint: Url | None = None
    """One server for all regions, in place of Amazon's; a region's own setting takes precedence."""
    spapi_endpoint_na: Url | None = None
    spapi_endpoint_eu: Url | None = None
    spapi_endpoint_fe: Url | None = None
    spapi_sandbox_endpoint: Url | None = None
    spapi_sandbox_endpoint_na: Url | None = None
    spapi_sandbox_endpoint_eu: Url | None = None
    spapi_sandbox_endpoint_fe: Url | None = None

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
