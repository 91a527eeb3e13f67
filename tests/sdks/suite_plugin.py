"""A pytest plugin that runs an SDK's own test suite against one endpoint, and records every test's outcome and exchanges.

It replaces addresses and credentials, which are constants of the suites, and nothing else of an SDK. Amazon's suite requests
the next response from a mock server; that request goes to the simulator's control port.
"""

import base64
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sellergate_amazon.operations import Catalogue

SUITE, URL, LOGIN, CONTROL, RESULTS = (
    os.environ[name] for name in ("SDK_SUITE", "SDK_URL", "SDK_LOGIN", "SDK_CONTROL", "SDK_RESULTS")
)
ID, SECRET, HANDLE = (os.environ[name] for name in ("SDK_CLIENT_ID", "SDK_CLIENT_SECRET", "SDK_HANDLE"))
MOCK_SERVER = "http://localhost:3000/response/"
_found: dict[str, dict[str, Any]] = {}
_exchanges: list[dict[str, Any]] = []
_samples: list[dict[str, Any]] = []


def pytest_configure() -> None:
    {"amazon": _redirect_amazon, "saleweaver": _redirect_saleweaver}[SUITE]()


def pytest_runtest_setup() -> None:
    _exchanges.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    report = (yield).get_result()  # type: ignore[misc]
    if call.when == "call" or report.outcome != "passed":
        error = call.excinfo.typename if call.excinfo else ""
        _found[item.nodeid] = {"outcome": report.outcome, "error": error, "exchanges": [*_exchanges]}


def pytest_sessionfinish() -> None:
    Path(RESULTS).write_text(json.dumps(_found), "utf-8")


def _record(method: str, url: str, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    if not url.startswith(URL) or "/auth/o2/token" in url:
        return
    pairs = sorted((name.lower(), value) for name, value in headers)
    path, body_text = url.removeprefix(URL).partition("?")[0], base64.b64encode(body).decode()
    _exchanges.append({"method": method, "path": path, "status": status, "headers": pairs, "body": body_text})


def _redirect_amazon() -> None:
    import urllib3
    from spapi.client import SPAPIClient

    made, sent, posted = SPAPIClient.__init__, urllib3.PoolManager.request, requests.post

    def make(self: Any, config: Any, *_: str) -> None:
        config.client_id, config.client_secret, config.refresh_token = ID, SECRET, HANDLE
        made(self, config, f"{LOGIN}/auth/o2/token", URL)

    def send(self: Any, method: str, url: str, *given: Any, **options: Any) -> Any:
        _order_sample(method, url)
        response = sent(self, method, url, *given, **options)
        _record(method, url, response.status, response.headers.items(), response.data)
        return response

    def post(url: str, *given: Any, **options: Any) -> Any:
        return _choose_sample(url) if url.startswith(MOCK_SERVER) else posted(url, *given, **options)

    SPAPIClient.__init__, urllib3.PoolManager.request, requests.post = make, send, post


def _choose_sample(url: str) -> None:
    """Note the response that a test requests from the mock server: a sample of Amazon's, with a status."""
    name, _, status = url.removeprefix(MOCK_SERVER).split("/")
    sample = Path(os.environ["SDK_SAMPLES"]) / f"{name}Response.json"
    body = sample.read_bytes() if sample.exists() else b""
    headers = {"Content-Type": "application/json; charset=utf-8"} if body else {}
    _samples[:] = [{"status": int(status), "headers": headers, "body": base64.b64encode(body).decode()}]


def _order_sample(method: str, url: str) -> None:
    """Set that response in the simulator for the request's operation only, since the gateway may first need a token."""
    match = Catalogue.load().match(method, url.removeprefix(URL).partition("?")[0])
    if match is None or not _samples:
        return
    requests.delete(f"{CONTROL}/control/faults", timeout=30).raise_for_status()
    fault = {"kind": "given", "count": 1, "operation": match.operation.name, "response": _samples.pop()}
    requests.post(f"{CONTROL}/control/faults", json=fault, timeout=30).raise_for_status()


def _redirect_saleweaver() -> None:
    import httpx
    from sp_api.auth import AccessTokenClient
    from sp_api.base.client import Client

    os.environ |= {"SP_API_REFRESH_TOKEN": HANDLE, "LWA_APP_ID": ID, "LWA_CLIENT_SECRET": SECRET}
    scheme, _, AccessTokenClient.host = LOGIN.partition("//")
    AccessTokenClient.scheme = f"{scheme}//"
    made, sent = Client.__init__, httpx.Client.request

    def make(self: Any, *given: Any, **options: Any) -> None:
        made(self, *given, **options)
        self.endpoint = URL

    def send(self: Any, method: str, url: Any, **options: Any) -> httpx.Response:
        response = sent(self, method, url, **options)
        _record(method, str(url), response.status_code, response.headers.multi_items(), response.content)
        return response

    Client.__init__, httpx.Client.request = make, send
