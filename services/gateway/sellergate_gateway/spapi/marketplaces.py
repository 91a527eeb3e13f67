"""The check that a query's marketplaces belong to the called region: Amazon refuses others without a reason."""

from urllib.parse import unquote_plus

from sellergate_amazon.marketplaces import marketplace_by_id
from sellergate_common.errors import InvalidRequest
from sellergate_common.sites import Site

_NAMES = frozenset({"marketplaceid", "marketplaceids"})


def check_marketplaces(query: str, site: Site, field: str) -> None:
    """Raise InvalidRequest that names the parameter, the marketplace and its region; never for the sandbox.

    Unknown ids are left to Amazon.
    """
    if site.sandbox or not query or "marketplace" not in unquote_plus(query).lower():
        return
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if unquote_plus(name).lower() not in _NAMES:
            continue
        for marketplace_id in unquote_plus(value).split(","):
            known = marketplace_by_id(marketplace_id.strip())
            if known is not None and known.region is not site.region:
                there = f"{known.id} ({known.code}) of region {known.region.name}"
                raise InvalidRequest.of_field(
                    field,
                    f"names marketplace {there} in {unquote_plus(name)}; this account's calls go to {site.region.name}:"
                    " use the account that the seller has there",
                )
