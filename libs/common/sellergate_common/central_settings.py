"""The addresses of Seller Central and Vendor Central, Amazon's by default. The token service and the edge need the same ones."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator
from sellergate_amazon.marketplaces import marketplace_by_code
from sellergate_amazon.seller_central import SellerCentral

from sellergate_common.settings import Settings, secure_url


def parse_seller_central(text: str) -> dict[str, str]:
    """Read `CODE=URL` pairs, separated by commas or spaces; return base URLs by marketplace code. Raises ValueError."""
    found: dict[str, str] = {}
    for pair in text.replace(",", " ").split():
        code, _, url = pair.partition("=")
        marketplace = marketplace_by_code(code)
        if marketplace is None:
            raise ValueError(f"{code!r} is not a marketplace code; write pairs as in IN=https://www.vendorcentral.in")
        if urlsplit(secure_url(url)).path.strip("/"):
            raise ValueError(f"{code}: must be a URL without a path, as in https://www.vendorcentral.in")
        if marketplace.code in found:
            raise ValueError(f"{code}: names a marketplace that already has a URL; give each only one")
        found[marketplace.code] = url
    return found


def _check_central_urls(text: str) -> str:
    parse_seller_central(text)
    return text


class CentralSettings(Settings):
    """Base URLs of Seller Central and Vendor Central, where selling partners give consent."""

    seller_central_url: Annotated[str, AfterValidator(secure_url)] | None = None
    """One base URL in place of every Seller Central, for local runs."""
    vendor_central_url: Annotated[str, AfterValidator(secure_url)] | None = None
    """One base URL in place of every Vendor Central, for local runs."""
    seller_central_urls: Annotated[str, AfterValidator(_check_central_urls)] = ""
    """Base URLs of single marketplaces' Seller Centrals, as in `IE=https://sellercentral.amazon.ie`, separated by commas."""
    vendor_central_urls: Annotated[str, AfterValidator(_check_central_urls)] = ""
    """Base URLs of single marketplaces' Vendor Centrals, likewise."""

    @property
    def seller_central(self) -> SellerCentral:
        """The pages where selling partners give consent, and the hosts that are Amazon's."""
        return SellerCentral(
            self.seller_central_url or "",
            self.vendor_central_url or "",
            parse_seller_central(self.seller_central_urls),
            parse_seller_central(self.vendor_central_urls),
        )
