"""Seller Central and Vendor Central: where a selling partner gives consent, and which URLs are pages of theirs.

Sources: the Developer Guide's pages "website authorization workflow" and "Selling Partner Appstore authorization workflow".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from sellergate_amazon.marketplaces import MARKETPLACES, Marketplace

CONSENT_PATH = "/apps/authorize/consent"
# No user, no query, no fragment, nothing that one program would read otherwise than another.
_PAGE = re.compile(r"(https?://[a-z0-9.-]+(?::[0-9]{1,5})?)(/apps/authorize/[A-Za-z0-9._~/-]+)")


@dataclass(frozen=True, slots=True)
class SellerCentral:
    """Amazon's own hosts, or other base URLs: `seller` and `vendor` in place of all, `sellers` and `vendors` by marketplace code.

    The setting of a marketplace takes precedence.
    """

    seller: str = ""
    vendor: str = ""
    sellers: Mapping[str, str] = field(default_factory=dict)
    vendors: Mapping[str, str] = field(default_factory=dict)

    def of(self, marketplace: Marketplace, *, vendor: bool) -> str | None:
        """Return the base URL of a marketplace's central; None where no source names one."""
        own = (self.vendors if vendor else self.sellers).get(marketplace.code)
        if own:
            return own.rstrip("/")
        host = marketplace.vendor_central if vendor else marketplace.seller_central
        instead = self.vendor if vendor else self.seller
        return instead.rstrip("/") or f"https://{host}" if host else None

    def own(self, url: str) -> bool:
        """Return whether a URL is a page of a central below /apps/authorize/: the place that an Appstore entry may lead back to."""
        page = _PAGE.fullmatch(url)
        if page is None or not {".", ".."}.isdisjoint(page[2].split("/")):
            return False
        bases = (self.of(marketplace, vendor=vendor) for marketplace in MARKETPLACES for vendor in (False, True))
        return page[1] in bases


def with_query(url: str, **parameters: str) -> str:
    """Return `url` with a query; everything but unreserved characters is percent-encoded."""
    return f"{url}?{urlencode(parameters, quote_via=quote, safe='')}"
