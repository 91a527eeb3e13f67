"""The URL of Amazon's consent page, for authorizations that start at Sellergate's own page or at the Appstore."""

from dataclasses import dataclass

from pydantic import SecretStr
from sellergate_amazon.marketplaces import MARKETPLACES, Marketplace, marketplace_by_code
from sellergate_amazon.seller_central import CONSENT_PATH, SellerCentral, with_query
from sellergate_common.errors import InvalidRequest

from sellergate_token.authorizations.ports import ApplicationView


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request to connect a seller. The last three values come from the Appstore, or are empty or None."""

    user_id: str
    application_id: str
    marketplace: str
    vendor: bool = False
    amazon_callback_uri: str = ""
    amazon_state: SecretStr | None = None
    selling_partner_id: str = ""


def marketplace_of(request: AuthorizationRequest) -> Marketplace:
    """Return the marketplace of a code. Raises InvalidRequest that lists the codes."""
    marketplace = marketplace_by_code(request.marketplace)
    if marketplace is None:
        codes = ", ".join(sorted(known.code for known in MARKETPLACES))
        raise InvalidRequest.of_field("marketplace", f"must be the code of a marketplace, one of {codes}")
    return marketplace


def consent_page_of(request: AuthorizationRequest, marketplace: Marketplace, seller_central: SellerCentral) -> str:
    """Return the URL of Amazon's next page. Raises InvalidRequest."""
    callback = request.amazon_callback_uri
    if bool(callback) != (request.amazon_state is not None):
        missing = "amazon_state" if callback else "amazon_callback_uri"
        raise InvalidRequest.of_field(missing, "must be set: the Appstore sends both, Sellergate's own page none")
    if callback:
        if not seller_central.own(callback):
            raise InvalidRequest.of_field("amazon_callback_uri", "must be a page of Seller or Vendor Central")
        return callback
    base = seller_central.of(marketplace, vendor=request.vendor)
    if base is None:
        raise InvalidRequest.of_field("marketplace", f"{marketplace.code} has no Vendor Central")
    return base + CONSENT_PATH


def consent_url(entry: str, request: AuthorizationRequest, application: ApplicationView, state: SecretStr) -> SecretStr:
    """Return the URL of the consent page. A draft application needs version=beta; without it Amazon reports MD1000."""
    if request.amazon_state is not None:
        query = {"amazon_state": request.amazon_state.get_secret_value()}
    else:
        query = {"application_id": application.spapi_application_id}
    query |= {"state": state.get_secret_value(), "redirect_uri": application.redirect_uris[0]}
    return SecretStr(with_query(entry, **query, **({"version": "beta"} if application.draft else {})))
