"""Browsers for end-to-end tests: a cookie jar each, a user signed in at the frontend, and a partner at Amazon."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from sellergate.account.v1 import account_pb2, account_service_pb2, application_pb2, application_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.suite import Suite

from tests.e2e.sellers import Seller

AUTHORIZATIONS, CALLBACK, LOGIN = (f"/api/amazon/oauth/{name}" for name in ("authorizations", "callback", "login"))
# Everything that passed through a browser and must not appear in a log.
SEEN: set[str] = set()


async def known_application(suite: Suite, control: httpx.AsyncClient, seller: Seller, *, draft: bool = False) -> str:
    """Register the seller's application for OAuth, with Amazon and with Sellergate as a shared one; return its id."""
    seed = seller.seed()
    (registered,) = seed["applications"]
    uris = {"redirect_uris": [suite.edge + CALLBACK], "login_uri": suite.edge + LOGIN, "draft": draft}
    (await control.post("/control/seed", json={"applications": [registered | uris]})).raise_for_status()
    application = application_pb2.Application(
        spapi_application_id=registered["application_id"], redirect_uris=uris["redirect_uris"], draft=draft
    )
    new = application_service_pb2.CreateApplicationRequest(
        application=application, lwa_client_id=seller.client_id, lwa_client_secret=seller.client_secret
    )
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        made = await invoke(ApplicationServiceStub(channel).CreateApplication, new, dependency="account")
    return str(made.application.application_id)


@dataclass
class Browser:
    """One browser. `user` is signed in at the frontend, whose requests carry a JWT; navigations carry only cookies."""

    suite: Suite
    user: str = "u1"
    client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=40, trust_env=False))

    async def begin(self, application_id: str, marketplace: str = "US", **more: Any) -> httpx.Response:
        body = {"applicationId": application_id, "marketplace": marketplace, **more}
        headers = {"Authorization": f"Bearer {self.suite.jwt(self.user)}"}
        response = await self.client.post(self.suite.edge + AUTHORIZATIONS, json=body, headers=headers)
        SEEN.update(value for value in self.client.cookies.values() if value)
        if response.is_success:
            SEEN.add(query_of(response.json()["url"])["state"])
        return response

    async def began(self, application_id: str, marketplace: str = "US", **more: Any) -> str:
        response = await self.begin(application_id, marketplace, **more)
        assert response.status_code == 201, response.text
        return str(response.json()["url"])

    async def consent(self, url: str, selling_partner_id: str) -> str:
        """Press the button on Amazon's consent page; return the URL to which Amazon sends the browser."""
        assert (await self.client.get(url)).status_code == 200
        form = query_of(url) | {"selling_partner_id": selling_partner_id}
        return self._sent(await self.client.post(url.partition("?")[0], data=form))

    async def sent_by(self, url: str) -> str:
        """Visit a page of Amazon's that redirects the browser; return the URL of the redirect."""
        return self._sent(await self.client.get(url))

    async def visit(self, url: str, **headers: str) -> httpx.Response:
        """Navigate without a JWT and with the URL's cookies."""
        return await self.client.get(url, headers=headers)

    def _sent(self, response: httpx.Response) -> str:
        assert response.status_code == 302, response.text
        location = str(response.headers["location"])
        SEEN.update(value for name, value in query_of(location).items() if name in ("spapi_oauth_code", "amazon_state"))
        return location


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def changed(url: str, **parameters: str) -> str:
    """Return the URL with other values in its query."""
    return str(httpx.URL(url).copy_merge_params(parameters))


async def stored_state(suite: Suite) -> tuple[dict[str, account_pb2.Account], list[str]]:
    """Return every account as it is stored and every audited change, without reads of secrets."""
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        listed = account_service_pb2.ListAccountsRequest(page_size=500)
        page = await invoke(AccountServiceStub(channel).ListAccounts, listed, dependency="account")
    assert not page.next_page_token
    return {account.account_id: account for account in page.accounts}, audited_changes(suite)


def audited_changes(suite: Suite) -> list[str]:
    """Return the changes in the global chain and those of all accounts, from the file: the service lists one chain at a time."""
    (file,) = suite.plan.state.folder.glob("account.sqlite")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT subject, action, sequence FROM audit_events"
            " WHERE chain = '' OR chain IN (SELECT account_id FROM accounts) ORDER BY chain, sequence"
        )
        return [f"{subject} {action} {sequence}" for subject, action, sequence in rows if "read" not in action]
