"""The consent page and the Appstore in a browser, and the codes that they issue."""

import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.contract.simulator.simulator_process import US, Simulator, running_simulator

REDIRECT, SECOND, LOGIN = "https://ours.test/cb", "https://ours.test/second?x=1", "https://ours.test/login"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


class App:
    """An application with its own seller."""

    def __init__(self, amazon: Simulator, **changes: Any) -> None:
        self.amazon = amazon
        self.number = secrets.token_hex(4).upper()
        self.seller = f"A{self.number}"
        self.application = {
            "application_id": f"amzn1.sp.solution.{self.number}",
            "client_id": f"client-{self.number}",
            "client_secret": "secret",
            "redirect_uris": [REDIRECT, SECOND],
            "login_uri": LOGIN,
            **changes,
        }
        sellers = [{"selling_partner_id": self.seller, "marketplace_ids": [US]}]
        amazon.post_control("seed", {"applications": [self.application], "sellers": sellers})

    def get(self, path: str = "/apps/authorize/consent", **query: str) -> httpx.Response:
        given = {"application_id": str(self.application["application_id"]), "state": "our state", **query}
        return self.amazon.http.get(f"{self.amazon.main}{path}", params=given)

    def post(self, **form: str) -> httpx.Response:
        given = {"application_id": str(self.application["application_id"]), "state": "our state", **form}
        return self.amazon.http.post(f"{self.amazon.main}/apps/authorize/consent", data=given)

    def exchange(self, code: str, **fields: str) -> httpx.Response:
        client = {name: str(self.application[name]) for name in ("client_id", "client_secret")}
        form = {"grant_type": "authorization_code", "code": code, **client, **fields}
        return self.amazon.http.post(f"{self.amazon.main}/auth/o2/token", data=form)


def redirect_of(response: httpx.Response) -> tuple[str, dict[str, str]]:
    assert response.status_code == 302, response.text
    parts = urlsplit(response.headers["location"])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))


def test_the_page_asks_and_the_button_sends_the_browser_back_with_a_code(amazon: Simulator) -> None:
    app = App(amazon)
    page = app.get(redirect_uri=REDIRECT)
    assert page.status_code == 200
    assert "<button>Authorize</button>" in page.text
    assert f'name="redirect_uri" value="{REDIRECT}"' in page.text
    assert f"<option>{app.seller}</option>" in page.text
    where, query = redirect_of(app.post(redirect_uri=REDIRECT, selling_partner_id=app.seller))
    assert where == REDIRECT
    code = query.pop("spapi_oauth_code")
    assert query == {"state": "our state", "selling_partner_id": app.seller}
    granted = app.exchange(code, redirect_uri=REDIRECT)
    assert granted.json()["refresh_token"].startswith("Atzr|")
    assert app.exchange(code).json()["error"] == "invalid_grant"


def test_the_first_redirect_uri_is_the_default_and_another_registered_one_may_be_named(amazon: Simulator) -> None:
    app = App(amazon)
    assert redirect_of(app.post(selling_partner_id=app.seller))[0] == REDIRECT
    where, query = redirect_of(app.post(selling_partner_id=app.seller, redirect_uri=SECOND))
    assert (where, query["x"]) == ("https://ours.test/second", "1")
    wrong = app.exchange(query["spapi_oauth_code"], redirect_uri=REDIRECT)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert app.exchange(query["spapi_oauth_code"]).status_code == 200


@pytest.mark.parametrize(
    ("draft", "query", "message"),
    [
        (True, {}, "MD1000"),
        (False, {"version": "beta"}, "MD1000"),
        (False, {"redirect_uri": "https://evil.test/cb"}, "MD5101"),
        (False, {"redirect_uri": REDIRECT + "/"}, "MD5101"),
        (False, {"redirect_uri": REDIRECT + "#x"}, "MD5110"),
        (False, {"application_id": "<script>"}, "Unable to find application"),
        (False, {"selling_partner_id": "NOBODY"}, "no such selling partner"),
    ],
)
def test_a_refusal_of_amazon_is_a_page_and_no_redirect(
    amazon: Simulator, draft: bool, query: dict[str, str], message: str
) -> None:
    app = App(amazon, draft=draft)
    refused = app.post(**{"selling_partner_id": app.seller, **query})
    assert refused.status_code == 400
    assert message in refused.text
    assert "<script>" not in refused.text
    if "selling_partner_id" not in query:
        assert message in app.get(**query).text


def test_a_draft_is_authorized_with_version_beta(amazon: Simulator) -> None:
    app = App(amazon, draft=True)
    assert redirect_of(app.post(selling_partner_id=app.seller, version="beta"))[0] == REDIRECT


def test_a_signed_in_partner_consents_at_once(amazon: Simulator) -> None:
    app = App(amazon)
    amazon.post_control("consent", {"selling_partner_id": app.seller})
    try:
        assert redirect_of(app.get())[1]["selling_partner_id"] == app.seller
    finally:
        amazon.post_control("consent", {"selling_partner_id": None})
    assert app.get().status_code == 200
    assert amazon.control("POST", "consent", {"selling_partner_id": "NOBODY"}).status_code == 400


@pytest.mark.parametrize("draft", [False, True])
def test_the_appstore_goes_to_the_login_uri_and_takes_the_browser_back_once(amazon: Simulator, draft: bool) -> None:
    app = App(amazon, draft=draft)
    application_id = app.application["application_id"]
    where, query = redirect_of(app.get(f"/apps/appstore/{application_id}", selling_partner_id=app.seller))
    assert where == LOGIN
    assert query["amazon_callback_uri"] == f"{amazon.main}/apps/authorize/confirm/{application_id}"
    assert (query["selling_partner_id"], query.get("version")) == (app.seller, "beta" if draft else None)
    back = {"amazon_state": query["amazon_state"], "redirect_uri": REDIRECT} | ({"version": "beta"} if draft else {})
    confirm = f"/apps/authorize/confirm/{application_id}"
    where, found = redirect_of(app.get(confirm, **back))
    assert (where, found["state"], found["selling_partner_id"]) == (REDIRECT, "our state", app.seller)
    assert app.exchange(found["spapi_oauth_code"], redirect_uri=REDIRECT).status_code == 200
    for again in (back, {**back, "amazon_state": "invented"}):
        assert app.get(confirm, **again).status_code == 400


def test_a_withdrawn_consent_brings_a_refresh_token_that_never_works(amazon: Simulator) -> None:
    app = App(amazon)
    body = {"client_id": app.application["client_id"], "selling_partner_id": app.seller, "withdrawn": True}
    granted = app.exchange(amazon.post_control("authorization-codes", body)["code"]).json()
    refresh = app.exchange("", grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert (refresh.status_code, refresh.json()["error"]) == (400, "invalid_grant")


def test_nothing_else_is_below_apps(amazon: Simulator) -> None:
    assert amazon.http.get(f"{amazon.main}/apps/else").status_code == 404
