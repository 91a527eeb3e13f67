"""The drop-in endpoint: calls of SDKs, and the bodies of createRestrictedDataToken."""

import json
import time
from typing import Any

import httpx
import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_client import SpApiResponse
from sellergate_common.errors import InvalidRequest, QuotaExceeded, Reason
from sellergate_edge.dropin.sp_api import DropIn, _resources, opened_by
from sellergate_edge.dropin.tokens import DropInTokens, Grant
from sellergate_edge.limits.limiter import Limits, Rate
from sellergate_edge.limits.redis import OwnCounts
from starlette.applications import Starlette

PATH = "/orders/v0/orders/{orderId}/address"


def test_resources_are_read_with_and_without_data_elements() -> None:
    rows = [
        {"method": "GET", "path": PATH},
        {"method": "GET", "path": PATH, "dataElements": ["buyerInfo", "shippingAddress"]},
        {"method": "GET", "path": PATH, "dataElements": None},
    ]
    assert _resources(json.dumps({"restrictedResources": rows}).encode()) == (
        ("GET", PATH, ()),
        ("GET", PATH, ("buyerInfo", "shippingAddress")),
        ("GET", PATH, ()),
    )


def test_a_single_resource_needs_no_list() -> None:
    assert _resources(json.dumps({"restrictedResources": {"method": "GET", "path": PATH}}).encode()) == (
        ("GET", PATH, ()),
    )


@pytest.mark.parametrize(
    ("scope", "opens"),
    [
        ("", [True, False, False]),
        ("n", [False, True, False]),
        ("m n", [False, True, True]),
    ],
)
def test_a_token_is_valid_for_operations_of_its_scopes_only(scope: str, opens: list[bool]) -> None:
    grant = Grant("c", "u", "a", scope)
    assert [opened_by(grant, wanted) for wanted in ("", "n", "m")] == opens


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"{",
        b"[" * 60_000,
        b'{"restrictedResources": ' + b"[" * 60_000,
        b'{"restrictedResources": ' + b"9" * 5_000 + b"}",
        b'{"restrictedResources": {"method": "GET"}}',
        b'{"restrictedResources": "/x"}',
        b'{"restrictedResources": [{"method": "GET"}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/\\ud800"}]}',
        b'{"restrictedResources": [{"method": ["GET"], "path": "/x"}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/x", "dataElements": ["\\udfff"]}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/x", "dataElements": 7}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/x", "dataElements": [[]]}]}',
    ],
)
def test_invalid_resources_are_refused_by_field(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _resources(body)
    assert [violation.field for violation in caught.value.violations] == ["restrictedResources"]


def test_a_target_application_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="targetApplication"):
        _resources(b'{"restrictedResources": [], "targetApplication": "amzn1.sp.solution.x"}')


class Sdks:
    """A client of the services with live drop-in clients. It records how long each call may wait for quota."""

    def __init__(self) -> None:
        self.clients = self
        self.waits: list[float] = []

    async def get(self, *_: Any, **__: Any) -> "Sdks":
        return self

    def HasField(self, _: str) -> bool:  # noqa: N802  (a message's method)
        return False

    async def call(self, *_: Any, max_wait: float, **__: Any) -> SpApiResponse:
        self.waits.append(max_wait)
        if max_wait == 0.0:
            raise QuotaExceeded("Wait.", reason=Reason.LOCAL_QUOTA_EXCEEDED)
        return SpApiResponse(200, (), b"{}", "", 0.0, 1, 0.0, "")


@pytest.fixture
def sdks() -> Sdks:
    return Sdks()


async def send_request(
    sdks: Sdks, path: str, method: str = "GET", *, token: bool = True, **headers: str
) -> httpx.Response:
    tokens = DropInTokens(f"k1 {'A' * 86}", time.time)
    limits = Limits(OwnCounts(time.monotonic), Rate(1000, 1000), time.monotonic)
    drop_in = DropIn(tokens, sdks, limits, Catalogue.load(), 2.0, time.monotonic)  # type: ignore[arg-type]
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["x-amz-access-token"] = tokens.issue(Grant("sgc_1", "u1", "a1"))
    transport = httpx.ASGITransport(Starlette(routes=[drop_in]))
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        return await client.request(method, path, headers=sent)


@pytest.mark.parametrize(("headers", "seconds"), [({}, 2.0), ({"x_sellergate_max_wait": "7.5"}, 7.5)])
async def test_a_call_of_an_sdk_waits_for_quota_as_long_as_its_header_says(
    sdks: Sdks, headers: dict[str, str], seconds: float
) -> None:
    assert (await send_request(sdks, "/orders/v0/orders", **headers)).status_code == 200
    assert sdks.waits == [seconds]


async def test_a_429_of_an_sdk_has_a_retry_after(sdks: Sdks) -> None:
    response = await send_request(sdks, "/orders/v0/orders", x_sellergate_max_wait="0")
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert response.json()["errors"][0]["code"] == "QuotaExceeded"


@pytest.mark.parametrize(
    ("method", "path", "code", "details"),
    [
        ("GET", "/orders/v0/orders", "Unauthorized", "Access token is missing in the request header."),
        (
            "POST",
            "/tokens/2021-03-01/restrictedDataToken",
            "Unauthorized",
            "Access token is missing in the request header.",
        ),
        ("DELETE", "/orders/v0/orders", "MissingAuthenticationToken", ""),
        ("GET", "/orders/v9/unknown", "MissingAuthenticationToken", ""),
    ],
)
async def test_a_call_without_a_token_gets_amazons_403(
    sdks: Sdks, method: str, path: str, code: str, details: str
) -> None:
    response = await send_request(sdks, path, method, token=False)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"], error["details"]) == (403, code, details)
    assert sdks.waits == []
