"""Bodies that attack the edge: too large, too deep, too many, unauthenticated, or incomplete."""

import base64
import inspect
import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sellergate_common.errors import Overloaded, QuotaExceeded
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_edge.dropin.exchange import PATH as TOKEN_URL
from sellergate_edge.forwarding import MAX_BODY_BYTES
from sellergate_edge.limits.buffers import Buffers, Lease
from sellergate_edge.request_body import MAX_JSON_BYTES
from starlette.types import Message

from tests.contract import test_rest_api
from tests.contract.test_rest_api import TOKEN, send_request
from tests.fakes.cpu_time import cpu_time

app = test_rest_api.app  # the fixture
USER = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
ACCOUNTS, WEBHOOK = "/api/amazon/accounts", "/api/amazon/webhooks/token-rotation"


@pytest.fixture(autouse=True)
def watched(app: FastAPI, request: pytest.FixtureRequest) -> None:
    """Assert that no request blocks the edge's event loop."""
    app.openapi()  # the document is made once per process, here before any request
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("loop_watchdog")


async def sent_by_hand(
    app: FastAPI, path: str, messages: Iterator[Message], method: str = "POST", **headers: str
) -> tuple[int, bytes]:
    """Send a request in pieces; return the status and the body of its response."""
    status, body = 0, b""

    async def receive() -> Message:
        return next(messages)

    async def send(message: Any) -> None:
        nonlocal status, body
        status, body = message.get("status", status), body + message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
    }
    await app(scope, receive, send)
    return status, body


def left() -> Iterator[Message]:
    """Close the connection in the middle of the body."""
    yield {"type": "http.request", "body": b'{"a": ', "more_body": True}
    yield {"type": "http.disconnect"}


async def test_an_unauthenticated_request_is_refused_before_its_body_is_read(app: FastAPI) -> None:
    def nothing() -> Iterator[Message]:
        pytest.fail("the body was read")
        yield {}

    documented = [
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation and path not in (TOKEN_URL, WEBHOOK)
    ]
    assert len(documented) >= 6
    for method, path in [*documented, ("POST", "/tokens/2021-03-01/restrictedDataToken")]:
        status, _ = await sent_by_hand(app, path, nothing(), method, content_type="application/json")
        assert status in (401, 403), path


@pytest.mark.parametrize("path", [ACCOUNTS, f"{ACCOUNTS}/a/sp-api/x", TOKEN_URL, WEBHOOK])
async def test_an_incomplete_body_is_not_a_fault_of_the_edge(
    app: FastAPI, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    signed = {"x_sellergate_timestamp": "1", "x_sellergate_signature": "v1=1"}
    status, body = await sent_by_hand(
        app, path, left(), **{name.replace("-", "_"): v for name, v in USER.items()}, **signed
    )
    assert 400 <= status < 500, body
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"marketplaceIds": [' + b"1," * 500_000 + b"1]}", 413),
        (b'{"marketplaceIds": [' + b"1," * 60_000 + b"1]}", 400),
        (b'{"marketplaceIds": ' + b"[" * 60_000, 400),
        (b'{"a":' * 20_000, 400),
        (json.dumps({f"m{n}": n for n in range(8_000)}).encode(), 400),
        (json.dumps({"amazonSellerId": "x" * 100_000}).encode(), 400),
    ],
    ids=["large", "items", "lists", "objects", "members", "text"],
)
async def test_a_hostile_body_costs_little_and_its_refusal_is_small(app: FastAPI, body: bytes, status: int) -> None:
    await send_request(app, "POST", ACCOUNTS, content=b"{}", headers=USER)
    with cpu_time() as spent:
        response = await send_request(app, "POST", ACCOUNTS, content=body, headers=USER)
    assert response.status_code == status, response.text[:200]
    assert len(response.content) < 4_096
    assert spent.seconds < 0.1


async def test_the_bytes_of_a_document_are_bounded(app: FastAPI) -> None:
    for size, status in ((MAX_JSON_BYTES, 400), (MAX_JSON_BYTES + 1, 413)):
        response = await send_request(app, "POST", ACCOUNTS, content=b" " * size, headers=USER)
        assert response.status_code == status
    # A body that states its size is refused unread.
    status, _ = await sent_by_hand(
        app,
        f"{ACCOUNTS}/a/sp-api/x",
        left(),
        authorization=USER["authorization"],
        content_length=str(MAX_BODY_BYTES + 1),
    )
    assert status == 413


def test_the_memory_of_a_user_and_of_all_users_is_bounded() -> None:
    buffers = Buffers(100, 60)
    first, second, third = Lease(buffers), Lease(buffers), Lease(buffers)
    first.hold("u1", 40)
    with pytest.raises(QuotaExceeded):
        second.hold("u1", 21)
    second.hold("u2", 60)
    with pytest.raises(Overloaded):
        third.hold("u3", 1)
    first.end()
    first.end()
    third.hold("u1", 40)
    second.end()
    third.end()
    assert buffers.held == 0


async def test_unknown_methods_do_not_become_labels(app: FastAPI) -> None:
    for method in ("PROPFIND", "LOCK", "X" * 100):
        await send_request(app, method, "/orders/v0/orders", headers={"x-amz-access-token": "x"})
    registry = CollectorRegistry()
    metrics: RpcMetrics = next(layer.kwargs["metrics"] for layer in app.user_middleware if "metrics" in layer.kwargs)
    registry.register(metrics)
    methods = {sample.labels.get("method", "") for family in registry.collect() for sample in family.samples}
    assert "OTHER /{sp-api}" in methods
    assert not any("PROPFIND" in method or "XX" in method for method in methods)


@pytest.mark.parametrize("secret", ["AKIAABCDEFGHIJKLMNOP", "sgs_0123456789abcdefghij"])
async def test_a_request_id_with_the_shape_of_a_secret_is_replaced(app: FastAPI, secret: str) -> None:
    response = await send_request(app, "GET", "/nope", headers={"x-request-id": secret})
    assert response.headers["x-request-id"] != secret


@pytest.mark.parametrize("path", ["/orders/v0/orders", TOKEN_URL, ACCOUNTS, "/nope"])
async def test_no_response_for_one_caller_is_cached(app: FastAPI, path: str) -> None:
    for token in ({}, {"x-amz-access-token": "x"}):
        response = await send_request(app, "POST", path, headers=token)
        assert response.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in response.headers["content-security-policy"]


def part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def forged(payload: str, header: str = '{"alg":"HS256"}') -> str:
    signing = f"{part(header)}.{part(payload)}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing.encode(), b"x" * 32)
    return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "token",
    [
        forged(f'{{"sub":"u1","aud":"a","iss":"i","exp":1{"0" * 400}}}'),
        forged('{"sub":"u1","aud":"a","iss":"i","exp":1e400}'),
        forged(f'{{"sub":"u1","aud":"a","iss":"i","exp":{2**33},"nbf":1e400}}'),
        forged("[" * 5_000),
        forged("{}", header="[" * 5_000),
        TOKEN + " " * 20_000,
    ],
    ids=["large", "infinite", "infinite start", "deep", "deep header", "spaces"],
)
async def test_a_token_with_an_infinite_number_is_401(app: FastAPI, token: str) -> None:
    response = await send_request(app, "GET", "/api/amazon/operations", headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 401, response.text
    dropin = await send_request(app, "GET", "/orders/v0/orders", headers={"x-amz-access-token": token})
    assert dropin.status_code == 403, dropin.text
