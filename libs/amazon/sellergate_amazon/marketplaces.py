"""The regions and marketplaces of the Selling Partner API, with their hosts, IDs and consent sites.

Sources: Amazon's pages "SP-API endpoints" and "Marketplace ids", and the old full Developer Guide.
The Seller Central hosts of ZA and IE come from third parties; no page of Amazon's confirms them. India's Vendor Central
is that of Amazon's sample "auth-lifecycle-management"; the host of the Developer Guide, vendorcentral.amazon.in, shows a blank page
(amzn/selling-partner-api-models, issue 2644). Settings override each of them.
"""

from dataclasses import dataclass

# The service in a SigV4 credential scope (Developer Guide, "signing the request"); the region is the Region's own.
SIGNING_SERVICE = "execute-api"


@dataclass(frozen=True, slots=True)
class Region:
    """One of SP-API's three regions; a seller's authorization is valid in one region."""

    name: str
    """"NA", "EU" or "FE"."""
    host: str
    sandbox_host: str
    signing_region: str
    """The AWS region in a SigV4 credential scope."""


@dataclass(frozen=True, slots=True)
class Marketplace:
    """A country's Amazon store."""

    code: str
    """The two-letter code in Amazon's present documents: "UK", never "GB"."""
    id: str
    region: Region
    seller_central: str
    """The host of Seller Central, where a seller gives consent."""
    vendor_central: str | None
    """The host of Vendor Central; None where no source names one."""


def _region(name: str, signing_region: str) -> Region:
    host = f"sellingpartnerapi-{name.lower()}.amazon.com"
    return Region(name=name, host=host, sandbox_host=f"sandbox.{host}", signing_region=signing_region)


NA = _region("NA", "us-east-1")
EU = _region("EU", "eu-west-1")
FE = _region("FE", "us-west-2")

REGIONS: tuple[Region, ...] = (NA, EU, FE)

_EUROPE = "sellercentral-europe.amazon.com"

MARKETPLACES: tuple[Marketplace, ...] = (
    Marketplace("CA", "A2EUQ1WTGCTBG2", NA, "sellercentral.amazon.ca", "vendorcentral.amazon.ca"),
    Marketplace("US", "ATVPDKIKX0DER", NA, "sellercentral.amazon.com", "vendorcentral.amazon.com"),
    Marketplace("MX", "A1AM78C64UM0Y8", NA, "sellercentral.amazon.com.mx", "vendorcentral.amazon.com.mx"),
    Marketplace("BR", "A2Q3Y263D00KWC", NA, "sellercentral.amazon.com.br", "vendorcentral.amazon.com.br"),
    Marketplace("IE", "A28R8C7NBKEWEA", EU, "sellercentral.amazon.ie", None),
    Marketplace("ES", "A1RKKUPIHCS9HS", EU, _EUROPE, "vendorcentral.amazon.es"),
    Marketplace("UK", "A1F83G8C2ARO7P", EU, _EUROPE, "vendorcentral.amazon.co.uk"),
    Marketplace("FR", "A13V1IB3VIYZZH", EU, _EUROPE, "vendorcentral.amazon.fr"),
    Marketplace("BE", "AMEN7PMS3EDWL", EU, "sellercentral.amazon.com.be", "vendorcentral.amazon.com.be"),
    Marketplace("NL", "A1805IZSGTT6HS", EU, "sellercentral.amazon.nl", "vendorcentral.amazon.nl"),
    Marketplace("DE", "A1PA6795UKMFR9", EU, _EUROPE, "vendorcentral.amazon.de"),
    Marketplace("IT", "APJ6JRA9NG5V4", EU, _EUROPE, "vendorcentral.amazon.it"),
    Marketplace("SE", "A2NODRKZP88ZB9", EU, "sellercentral.amazon.se", "vendorcentral.amazon.se"),
    Marketplace("ZA", "AE08WJ6YKNBMC", EU, "sellercentral.amazon.co.za", None),
    Marketplace("PL", "A1C3SOZRARQ6R3", EU, "sellercentral.amazon.pl", "vendorcentral.amazon.pl"),
    Marketplace("EG", "ARBP9OOSHTCHU", EU, "sellercentral.amazon.eg", "vendorcentral.amazon.me"),
    Marketplace("TR", "A33AVAJ2PDY3EV", EU, "sellercentral.amazon.com.tr", "vendorcentral.amazon.com.tr"),
    Marketplace("SA", "A17E79C6D8DWNP", EU, "sellercentral.amazon.sa", "vendorcentral.amazon.me"),
    Marketplace("AE", "A2VIGQ35RCS4UG", EU, "sellercentral.amazon.ae", "vendorcentral.amazon.me"),
    Marketplace("IN", "A21TJRUUN4KGV", EU, "sellercentral.amazon.in", "www.vendorcentral.in"),
    Marketplace("SG", "A19VAU5U5O7RUS", FE, "sellercentral.amazon.sg", "vendorcentral.amazon.com.sg"),
    Marketplace("AU", "A39IBJ37TRP1C6", FE, "sellercentral.amazon.com.au", "vendorcentral.amazon.com.au"),
    Marketplace("JP", "A1VC38T7YXB528", FE, "sellercentral.amazon.co.jp", "vendorcentral.amazon.co.jp"),
)

# Amazon's documents used GB for years, and users still do.
_BY_CODE = {market.code: market for market in MARKETPLACES}
_BY_CODE["GB"] = _BY_CODE["UK"]
_BY_ID = {market.id: market for market in MARKETPLACES}


def marketplace_by_code(code: str) -> Marketplace | None:
    """Return the marketplace of a country code in any case ("GB" means "UK"), or None."""
    # Only ASCII, because other letters may have ASCII capitals: "\u017fe".upper() is "SE".
    return _BY_CODE.get(code.upper()) if code.isascii() else None


def marketplace_by_id(marketplace_id: str) -> Marketplace | None:
    """Return the marketplace with exactly this ID, or None."""
    return _BY_ID.get(marketplace_id)
