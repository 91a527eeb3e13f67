"""Amazon's website authorization, from its start by the frontend or the Appstore to Amazon's redirect to the callback."""

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from pydantic import Field, SecretStr
from sellergate.token.v1 import token_service_pb2 as pb2
from sellergate_amazon.seller_central import with_query
from sellergate_common.errors import InvalidRequest, Reason, SellergateError, Unimplemented

from sellergate_edge.dependencies import Provided, Site, User, website_of
from sellergate_edge.html import error_page, page, wants_json
from sellergate_edge.routes.models import Account, Given, Json
from sellergate_edge.routes.problems import problem, refusal_of
from sellergate_edge.routes.user_route import UserRoute

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
NOT_CONNECTED = "The seller was not connected"
RELOAD = "Reload this page in a moment. For the next minutes you need not start the authorization again."
_PASSING = frozenset({Reason.AMAZON_UNAVAILABLE, Reason.DEPENDENCY_UNAVAILABLE, Reason.DEADLINE_EXCEEDED})


class BrowserRoute(APIRoute):
    """A route for browsers. An error is an HTML page, or a problem document if the client accepts JSON; the cookie is kept."""

    def get_route_handler(self) -> Handler:
        """Return the handler with this around it."""
        handler = super().get_route_handler()

        async def respond(request: Request) -> Response:
            try:
                response = await handler(request)
            except (SellergateError, RequestValidationError) as caught:
                error = refusal_of(caught)
                advice = RELOAD if error.reason in _PASSING else ""
                response = problem(error) if wants_json(request) else error_page(NOT_CONNECTED, error, advice)
            state = request.query_params.get("state")
            if state:
                website_of(request).renew_nonce(request, response, state)
            return response

        return respond


router = APIRouter(prefix="/api/amazon/oauth", tags=["oauth"], route_class=UserRoute)
browser_router = APIRouter(prefix=router.prefix, tags=["oauth"], route_class=BrowserRoute)


class PartnerType(StrEnum):
    """The kind of selling partner: a seller in Seller Central, or a vendor in Vendor Central."""

    SELLER = "SELLER"
    VENDOR = "VENDOR"


class NewAuthorization(Given):
    """An authorization to start. The last three members are those that the Appstore sent to the login URI."""

    application_id: Annotated[str, Field(min_length=1)]
    marketplace: Annotated[str, Field(examples=["US"])]
    partner_type: PartnerType = PartnerType.SELLER
    amazon_callback_uri: str | None = None
    amazon_state: SecretStr | None = None
    selling_partner_id: str | None = None


class Consent(Json):
    """Amazon's page of consent, to which the frontend sends the browser."""

    url: str


@router.post("/authorizations", operation_id="startAuthorization", status_code=201)
async def begin(new: NewAuthorization, user: User, website: Site, browser: Request, response: Response) -> Consent:
    """Start an authorization. Send the browser to `url` within 10 minutes; the browser must keep the cookie of this response.

    A browser can have five authorizations in progress; another one ends the oldest.
    """
    request = pb2.StartAuthorizationRequest(
        user_id=user,
        application_id=new.application_id,
        marketplace=new.marketplace,
        partner_type=pb2.PartnerType.Value(f"PARTNER_TYPE_{new.partner_type}"),
        amazon_callback_uri=new.amazon_callback_uri or "",
        amazon_state=new.amazon_state.get_secret_value() if new.amazon_state else "",
        selling_partner_id=new.selling_partner_id or "",
    )
    begun = await website.authorizations.start(request, on_behalf_of=user)
    website.keep_nonce(browser, response, begun.state, begun.browser_nonce)
    return Consent(url=begun.url)


_Text = Annotated[str, Query(min_length=1, max_length=2048)]


@browser_router.get(
    "/callback",
    operation_id="completeAuthorization",
    response_class=HTMLResponse,
    responses={
        200: {
            "model": Account,
            "description": "The connected account, as a page, or as JSON if the client accepts JSON",
        },
        303: {"description": "Connected: a redirect to SELLERGATE_OAUTH_DONE_PAGE with accountId"},
    },
)
async def callback(
    request: Request,
    website: Site,
    provided: Provided,
    state: _Text,
    selling_partner_id: _Text,
    spapi_oauth_code: _Text,
    mws_auth_token: Annotated[str | None, Query(description="Sent for hybrid applications; not used")] = None,  # noqa: ARG001
) -> Response:
    """Connect the seller after Amazon's redirect. With a Bearer token, its user must be the one that started the authorization.

    The same browser may repeat the request for ten minutes and gets the same response. After an outage, a repeat continues the
    authorization.
    """
    authenticator = provided.authenticator
    user = await authenticator.authenticate(request.headers) if authenticator.has_credentials(request.headers) else ""
    returned = pb2.CompleteAuthorizationRequest(
        state=state,
        browser_nonce=request.cookies.get(website.cookie_of(state), ""),
        code=spapi_oauth_code,
        selling_partner_id=selling_partner_id,
    )
    account = Account.from_message(await website.authorizations.complete(returned, on_behalf_of=user))
    if wants_json(request):
        return JSONResponse(account.model_dump(mode="json", by_alias=True))
    if website.done_page:
        return RedirectResponse(with_query(website.done_page, accountId=account.id), 303)
    connected = f"{account.amazon_seller_id} in {account.marketplace} is connected."
    return page("The seller is connected", connected, "You can close this page.")


@browser_router.get(
    "/login",
    operation_id="redirectAppstoreLogin",
    status_code=303,
    response_class=RedirectResponse,
    responses={303: {"content": {"text/html": {}}}},
)
async def login(website: Site, amazon_callback_uri: _Text, amazon_state: _Text, selling_partner_id: _Text) -> Response:
    """Redirect a seller that comes from the Appstore to the frontend's page, which identifies the user.

    That page lets the user confirm, and posts the parameters to /authorizations as amazonCallbackUri, amazonState and
    sellingPartnerId.
    """
    if not website.centrals.own(amazon_callback_uri):
        raise InvalidRequest.of_field("amazon_callback_uri", "must be a page of Seller or Vendor Central")
    if website.login_page is None:
        raise Unimplemented("The frontend has no page for sellers from the Appstore. Set SELLERGATE_OAUTH_LOGIN_PAGE.")
    location = with_query(
        website.login_page,
        amazon_callback_uri=amazon_callback_uri,
        amazon_state=amazon_state,
        selling_partner_id=selling_partner_id,
    )
    return RedirectResponse(location, 303)
