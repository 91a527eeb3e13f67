"""Sellers v1: getMarketplaceParticipations, the only call that returns a seller's marketplaces (Amazon's model)."""

from sellergate_simulator.http.responses import Response, json_response
from sellergate_simulator.shops.countries import country_of
from sellergate_simulator.spapi.calls import Call, Handler


def handlers() -> dict[str, Handler]:
    """Return the handlers by operation name."""
    return {"sellers/v1/getMarketplaceParticipations": _get_marketplace_participations}


def _get_marketplace_participations(call: Call) -> Response:
    seller = call.owner
    payload = []
    for marketplace_id in seller.marketplaces_in(call.region):
        country = country_of(marketplace_id)
        marketplace = {
            "id": marketplace_id,
            "name": country.name,
            "countryCode": "GB" if country.code == "UK" else country.code,
            "defaultCurrencyCode": country.currency,
            "defaultLanguageCode": country.language,
            "domainName": country.domain,
        }
        payload.append(
            {
                "marketplace": marketplace,
                "participation": {"isParticipating": True, "hasSuspendedListings": False},
                "storeName": f"Store of {seller.selling_partner_id}",
            }
        )
    return json_response({"payload": payload})
