"""Seller Central and Vendor Central: the consent page of the website authorization, and the start from the Appstore.

Sources: the Developer Guide's two authorization workflows, and Amazon's page "authorization errors" (MD1000, MD5101, MD5110).
"""

import html
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from sellergate_simulator.clock import Clock
from sellergate_simulator.http.responses import Response
from sellergate_simulator.identity.lwa import CODE_LIFE_SECONDS
from sellergate_simulator.state import Application, AppstoreVisit, AuthorizationCode, World

CONSENT = "/apps/authorize/consent"
_CONFIRM = "/apps/authorize/confirm/"
_APPSTORE = "/apps/appstore/"
_VISIT_SECONDS = 600


class ConsentError(Exception):
    """A request for which Seller Central shows an error page."""


@dataclass(slots=True)
class ConsentPages:
    """The pages below /apps/."""

    world: World
    clock: Clock
    main_port: Callable[[], int]
    """Set once the simulator listens."""

    def respond(self, method: str, path: str, raw_query: str, body: bytes) -> Response:
        """Return the response to one request of a browser."""
        query = dict(parse_qsl(raw_query, keep_blank_values=True))
        try:
            if (method, path) == ("GET", CONSENT):
                return self._show_page(query)
            if (method, path) == ("POST", CONSENT):
                form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
                return self._consent(form, form.get("selling_partner_id", ""))
            if method == "GET" and path.startswith(_CONFIRM):
                return self._confirm(path.removeprefix(_CONFIRM), query)
            if method == "GET" and path.startswith(_APPSTORE):
                return self._visit(path.removeprefix(_APPSTORE), query)
        except ConsentError as error:
            return _page(400, "Something went wrong", html.escape(str(error)))
        return _page(404, "Not found", "Nothing is here.")

    def _show_page(self, query: dict[str, str]) -> Response:
        """Show the consent page; a partner that the control API has signed in consents at once."""
        application = self._application(query.get("application_id", ""), query)
        if self.world.signed_in is not None:
            return self._consent(query, self.world.signed_in)
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in query.items()
            if name != "selling_partner_id"
        )
        partners = "".join(f"<option>{html.escape(partner)}</option>" for partner in self.world.sellers)
        form = (
            f'<form method="post" action="{CONSENT}">{hidden}<p>Selling partner '
            f'<select name="selling_partner_id">{partners}</select></p><button>Authorize</button></form>'
        )
        return _page(200, f"Authorize {html.escape(application.application_id)}?", form)

    def _consent(self, fields: dict[str, str], selling_partner_id: str) -> Response:
        application = self._application(fields.get("application_id", ""), fields)
        return self._redirect_back(application, selling_partner_id, fields)

    def _visit(self, application_id: str, query: dict[str, str]) -> Response:
        """Send a partner from the application's page in the Appstore to the application's login URI."""
        application = self.world.application(application_id)
        if application is None or application.login_uri is None:
            raise ConsentError("Unable to find application, or it has no OAuth login URI.")
        partner, amazon_state = query.get("selling_partner_id", ""), secrets.token_urlsafe(24)
        ends_at = self.clock.wall() + _VISIT_SECONDS
        self.world.visits[amazon_state] = AppstoreVisit(application_id, partner, ends_at)
        callback = f"http://127.0.0.1:{self.main_port()}{_CONFIRM}{quote(application_id, safe='')}"
        parameters = {"amazon_callback_uri": callback, "amazon_state": amazon_state, "selling_partner_id": partner}
        return _redirect(application.login_uri, parameters | ({"version": "beta"} if application.draft else {}))

    def _confirm(self, application_id: str, query: dict[str, str]) -> Response:
        """Receive the browser back from the application, once, and redirect it with a code."""
        visit = self.world.visits.pop(query.get("amazon_state", ""), None)
        if visit is None or visit.application_id != application_id or visit.expires_at <= self.clock.wall():
            raise ConsentError("The amazon_state is not known, or was used.")
        return self._redirect_back(self._application(application_id, query), visit.selling_partner_id, query)

    def _application(self, application_id: str, fields: dict[str, str]) -> Application:
        application = self.world.application(application_id)
        if application is None:
            raise ConsentError("Unable to find application.")
        if application.draft != (fields.get("version") == "beta"):
            raise ConsentError("MD1000: a draft is authorized with version=beta, a published application without.")
        redirect_uri = fields.get("redirect_uri")
        if redirect_uri is not None and "#" in redirect_uri:
            raise ConsentError("MD5110: the redirect_uri has a fragment.")
        if not application.redirect_uris or redirect_uri not in (None, *application.redirect_uris):
            raise ConsentError("MD5101: the redirect_uri is none of the application's.")
        return application

    def _redirect_back(self, application: Application, partner: str, fields: dict[str, str]) -> Response:
        if partner not in self.world.sellers:
            raise ConsentError("There is no such selling partner.")
        redirect_uri = fields.get("redirect_uri") or application.redirect_uris[0]
        code, expires_at = f"S{secrets.token_urlsafe(24)}", self.clock.wall() + CODE_LIFE_SECONDS
        self.world.codes[code] = AuthorizationCode(application.client_id, partner, expires_at, redirect_uri)
        parameters = {"state": fields.get("state", ""), "selling_partner_id": partner, "spapi_oauth_code": code}
        return _redirect(redirect_uri, parameters)


def _redirect(url: str, parameters: dict[str, str]) -> Response:
    location = f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
    return Response(302, headers={"Location": location, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})


def _page(status: int, title: str, content: str) -> Response:
    page = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1>{content}</body></html>"
    return Response(status, page.encode(), "text/html; charset=utf-8", {"Cache-Control": "no-store"})
