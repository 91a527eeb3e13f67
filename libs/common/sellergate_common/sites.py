"""Amazon's sites: the host and the signing region of a marketplace."""

from collections.abc import Mapping
from dataclasses import dataclass

from sellergate_amazon.marketplaces import REGIONS, Region, marketplace_by_code

from sellergate_common.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Site:
    """One site of SP-API: its base URL, and the region of its signatures."""

    base_url: str
    region: Region
    sandbox: bool


class Sites:
    """All sites; each can be replaced by another server."""

    def __init__(self, production: Mapping[str, str], sandbox: Mapping[str, str]) -> None:
        """Set base URLs by the name of the region ("NA")."""
        self._sites = {
            (region.name, is_sandbox): Site(urls[region.name].rstrip("/"), region, is_sandbox)
            for region in REGIONS
            for urls, is_sandbox in ((production, False), (sandbox, True))
        }

    def of(self, marketplace: str, *, sandbox: bool) -> Site:
        """Return the site of a marketplace. Raises InvalidRequest for an unknown marketplace."""
        known = marketplace_by_code(marketplace)
        if known is None:
            raise InvalidRequest.of_field("account_id", f"names an account of the unknown marketplace {marketplace!r}")
        return self._sites[known.region.name, sandbox]
