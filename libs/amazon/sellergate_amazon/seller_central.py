"""Seller Central and Vendor Central: the pages where a selling partner gives consent, and the recognition of their URLs.

Sources: the Developer Guide's pages "website authorization workflow" and "Selling Partner Appstore authorization workflow".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from sellergate_amazon.marketplaces import MARKETPLACES, Marketplace

CONSENT_PATH = "/apps/authorize/consent"
# No user, query or fragment, and no character that two programs might read differently.
_PAGE = re.compile(r"(https?://[a-z0-9.-]+(?::[0-9]{1,5})?)(/apps/authorize/[A-Za-z0-9._~/-]+)")


@dataclass(frozen=True, slots=True)
class SellerCentral:
    """Base URLs, Amazon's by default: `seller` and `vendor` for all marketplaces, `sellers` and `vendors` by their code.

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
        """Return whether a URL is a central's page below /apps/authorize/, to which a return from the Appstore may lead."""
        page = _PAGE.fullmatch(url)
        if page is None or not {".", ".."}.isdisjoint(page[2].split("/")):
            return False
        bases = (self.of(marketplace, vendor=vendor) for marketplace in MARKETPLACES for vendor in (False, True))
        return page[1] in bases


def with_query(url: str, **parameters: str) -> str:
    """Return `url` with a query, in which all but unreserved characters are percent-encoded."""
    return f"{url}?{urlencode(parameters, quote_via=quote, safe='')}"
