"""The REST contract: a valid OpenAPI document, and every error as a problem document that says what to do."""

import base64
import re
import time
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate
from pydantic import SecretStr
from sellergate_amazon.common_calls import COMMON_OPERATIONS
from sellergate_amazon.operations import Catalogue
from sellergate_common.errors import RULES, FieldViolation, InvalidRequest, QuotaExceeded, Reason
from sellergate_common.settings import SettingsError, read_settings
from sellergate_common.tasks import BackgroundTasks
from sellergate_edge.app import Options, make_app
from sellergate_edge.authn.jwt import JwtAuthenticator, SharedSecret
from sellergate_edge.console.assets import FOLDER
from sellergate_edge.dependencies import Dependencies
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.health import make_health_app
from sellergate_edge.limits.guesses import Guesses
from sellergate_edge.limits.limiter import Limits, Rate
from sellergate_edge.limits.redis import OwnCounts
from sellergate_edge.settings import EdgeSettings
from starlette.types import ASGIApp

RING = f"k1 {base64.urlsafe_b64encode(bytes(64)).decode()}"


@pytest.fixture
def app() -> FastAPI:
    # These tests call no service: the edge itself responds to their requests.
    authenticator = JwtAuthenticator(SharedSecret(SecretStr("x" * 32)), "a", "i", time.time)
    counts = OwnCounts(time.monotonic)
    limits, guesses = Limits(counts, Rate(1000, 1000), time.monotonic), Guesses(counts, time.monotonic)
    dependencies = Dependencies(authenticator, None, None, None, limits, guesses, DropInTokens(RING, time.time))  # type: ignore[arg-type]
    return make_app(dependencies, Options(cors_origins=("https://app.example",)))


async def send_request(app: ASGIApp, method: str, path: str, **given: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        return await client.request(method, path, **given)


def test_the_document_is_valid_and_has_every_route(app: FastAPI) -> None:
    document = app.openapi()
    validate(document)
    assert set(document["paths"]) == {
        "/api/amazon/test/status",
        "/api/amazon/test/orders",
        "/api/amazon/accounts",
        "/api/amazon/accounts/{account_id}",
        "/api/amazon/accounts/{account_id}/sp-api/{path}",
        "/api/amazon/accounts/{account_id}/audit-events",
        "/api/amazon/accounts/{account_id}/calls",
        "/api/amazon/accounts/{account_id}/capture",
        "/api/amazon/accounts/{account_id}/quotas",
        "/api/amazon/user",
        "/api/amazon/applications",
        "/api/amazon/clients",
        "/api/amazon/clients/{client_id}",
        "/api/amazon/accounts/{account_id}/verify",
        "/api/amazon/operations",
        "/auth/o2/token",
        "/api/amazon/webhooks/token-rotation",
        "/api/amazon/oauth/authorizations",
        "/api/amazon/oauth/callback",
        "/api/amazon/oauth/login",
    }


def test_no_response_has_a_secret_in_its_schema(app: FastAPI) -> None:
    account = app.openapi()["components"]["schemas"]["Account"]["properties"]
    assert not {"lwaClientId", "lwaClientSecret", "refreshToken"} & set(account)


@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_becomes_a_problem(app: FastAPI, reason: Reason) -> None:
    error = RULES[reason].error(
        "Do this.",
        reason=reason,
        violations=[FieldViolation("account.iam_role_arn", "must be set")],
        metadata={"amazon_code": "C", "amazon_message": "M", "amazon_request_id": "r-1"},
        retry_after=1.2,
    )

    @app.get("/fails")
    async def fails() -> None:
        raise error

    response = await send_request(app, "GET", "/fails", headers={"x-request-id": "request-1"})
    assert response.status_code == error.http_status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == "request-1"
    document = response.json()
    assert (document["reason"], document["status"], document["requestId"]) == (reason, error.http_status, "request-1")
    if reason is Reason.INTERNAL:
        assert "Do this" not in response.text
        return
    assert document["detail"] == "Do this."
    assert document["violations"] == [{"field": "iamRoleArn", "description": "must be set"}]
    assert document["errors"] == [{"code": "C", "message": "M"}]
    assert response.headers["retry-after"] == "2"


async def test_a_bug_is_opaque(app: FastAPI) -> None:
    @app.get("/bug")
    async def bug() -> None:
        raise KeyError("Atzr|hidden")

    response = await send_request(app, "GET", "/bug")
    assert (response.status_code, response.json()["reason"]) == (500, "INTERNAL")
    assert response.json()["requestId"] == response.headers["x-request-id"] != ""
    assert "hidden" not in response.text


async def test_refusals_of_the_framework_are_problems(app: FastAPI) -> None:
    for method, path, status in (
        ("GET", "/nope", 404),
        ("GET", "/healthz", 404),
        ("PUT", "/api/amazon/operations", 405),
        ("POST", "/api/amazon/test/status", 405),
    ):
        response = await send_request(app, method, path)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status


class Services:
    """The services behind the edge, reduced to their connections."""

    def __init__(self, **connected: bool) -> None:
        self.connected = connected

    async def health(self) -> dict[str, bool]:
        return self.connected


async def test_readiness_names_what_is_wrong_and_stays_200() -> None:
    problem, background, services = "", BackgroundTasks(), Services(gateway=True, account=True)
    background.watch("jwks", lambda: problem)
    health = make_health_app(services, background)  # type: ignore[arg-type]
    assert (await send_request(health, "GET", "/healthz")).json() == {"status": "ok"}
    response = await send_request(health, "GET", "/readyz")
    assert (response.status_code, response.json()["status"], response.json()["problems"]) == (200, "ok", {})
    problem = "the JWKS cannot be fetched (TimeoutError)"
    response = await send_request(health, "GET", "/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["problems"] == {"jwks": problem}
    problem, services.connected = "", {"gateway": True, "account": False}
    response = await send_request(health, "GET", "/readyz")
    assert (response.json()["status"], response.json()["dependencies"]["account"]) == ("degraded", False)


async def test_responses_have_the_security_headers(app: FastAPI) -> None:
    response = await send_request(app, "GET", "/api/amazon/accounts", headers={"x-request-id": "bad id"})
    assert response.status_code == 401
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"] != "bad id"


@pytest.mark.parametrize("secret", ["AKIAIOSFODNN7EXAMPLE", "sgs_0123456789abcdef0123", "sgr_0123456789abcdef0123"])
async def test_a_request_id_that_looks_like_a_secret_is_not_taken(app: FastAPI, secret: str) -> None:
    response = await send_request(app, "GET", "/fails", headers={"x-request-id": secret})
    assert response.headers["x-request-id"] != secret
    assert secret not in response.text


async def test_only_pages_of_listed_origins_may_send_requests(app: FastAPI) -> None:
    wanted = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization,if-match"}
    allowed = await send_request(
        app, "OPTIONS", "/api/amazon/accounts", headers={"origin": "https://app.example", **wanted}
    )
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    refused = await send_request(
        app, "OPTIONS", "/api/amazon/accounts", headers={"origin": "https://evil.example", **wanted}
    )
    assert "access-control-allow-origin" not in refused.headers
    response = await send_request(app, "GET", "/api/amazon/accounts", headers={"origin": "https://app.example"})
    assert "ETag" in response.headers["access-control-expose-headers"]


async def test_long_responses_are_compressed_and_long_requests_refused(app: FastAPI) -> None:
    packed = await send_request(app, "GET", "/openapi.json", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    token = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    body = b'{"amazonSellerId": "' + b"x" * 1_100_000 + b'"}'
    refused = await send_request(app, "POST", "/api/amazon/accounts", headers=token, content=body)
    assert (refused.status_code, refused.json()["status"]) == (413, 413)


async def test_a_user_with_too_many_requests_gets_a_retry_after() -> None:
    limits = Limits(OwnCounts(time.monotonic), Rate(0.5, 3), time.monotonic)
    for _ in range(3):
        await limits.acquire("u1")
    with pytest.raises(QuotaExceeded) as caught:
        await limits.acquire("u1")
    assert 1.5 < (caught.value.retry_after or 0) <= 2
    await limits.acquire("u2")


def test_the_default_operations_are_in_the_catalogue() -> None:
    assert all(Catalogue.load().get(name) for name in COMMON_OPERATIONS)


async def test_the_console_runs_only_its_own_scripts(app: FastAPI) -> None:
    page = await send_request(app, "GET", "/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    scripts = [file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.js")]
    for name in (*scripts, "console.css", "icon.svg"):
        found = await send_request(app, "GET", f"/console/-/{name}")
        assert found.status_code == 200, name
        assert not re.search("innerHTML|outerHTML|insertAdjacentHTML|document.write|eval\\(", found.text), name
    assert len(scripts) > 30
    for path in ("/console/console.css", "/console/marketplaces.json"):
        assert (await send_request(app, "GET", path)).status_code == 200, path
    for path in ("/console/../settings.py", "/console/-/../assets.py", "/console/-/none.js", "/console/index.html"):
        assert (await send_request(app, "GET", path)).status_code == 404, path


async def test_every_address_of_the_console_is_its_page(app: FastAPI) -> None:
    page = (await send_request(app, "GET", "/")).text
    for path in ("/console/sellers", "/console/sellers/a1?state=ACTIVE", "/console/explorer", "/console/operator/a1"):
        found = await send_request(app, "GET", path)
        assert (found.status_code, found.text) == (200, page), path
        assert "unsafe" not in found.headers["content-security-policy"]
    assert (await send_request(app, "GET", "/console/nothing")).status_code == 404


async def test_a_browser_keeps_the_files_of_a_release(app: FastAPI) -> None:
    page = await send_request(app, "GET", "/")
    [script] = re.findall('src="(/console/v[0-9a-f]{16}/console.js)"', page.text)
    assert "/console/-/" not in page.text
    found = await send_request(app, "GET", script)
    assert "immutable" in found.headers["cache-control"]
    # A replica of another release serves its own file, which the browser checks the next time.
    other = await send_request(app, "GET", "/console/v0123456789abcdef/console.js")
    assert (other.text, other.headers["cache-control"]) == (found.text, "no-cache")
    for path in ("/", script):
        etag = (await send_request(app, "GET", path)).headers["etag"]
        again = await send_request(app, "GET", path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert (await send_request(app, "GET", path, headers={"If-None-Match": '"another"'})).status_code == 200


async def test_the_documentation_runs_only_scripts_of_this_host(app: FastAPI) -> None:
    page = await send_request(app, "GET", "/docs")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "//" not in page.text.partition("<body>")[2]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert (await send_request(app, "GET", f"/docs/{name}")).status_code == 200
    assert (await send_request(app, "GET", "/docs/favicon.png")).status_code == 404


TLS = {f"SELLERGATE_TLS_{name}_FILE": __file__ for name in ("CA", "CERT", "KEY")}
JWT = {
    "SELLERGATE_JWT_AUDIENCE": "a",
    "SELLERGATE_JWT_ISSUER": "i",
    "REDIS_URL": "redis://127.0.0.1:1",
    "SELLERGATE_DROPIN_KEYS": RING,
}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "exactly one of SELLERGATE_JWT_SECRET and SELLERGATE_JWKS_URL"),
        ({"SELLERGATE_JWT_SECRET": "x" * 32, "SELLERGATE_JWKS_URL": "https://i/jwks"}, "exactly one of"),
        ({"SELLERGATE_JWT_SECRET": "x" * 31}, "at least 32 bytes"),
        ({"SELLERGATE_JWT_SECRET": "x" * 32, "SELLERGATE_CORS_ORIGINS": "https://a.example/path"}, "without a path"),
        ({"SELLERGATE_JWT_SECRET": "x" * 32, "SELLERGATE_CORS_ORIGINS": "*"}, "must be a URL"),
        ({"SELLERGATE_JWT_SECRET": "x" * 32, "SELLERGATE_DROPIN_KEYS": "k1 AAAA"}, "SELLERGATE_DROPIN_KEYS"),
        ({"SELLERGATE_JWKS_URL": "http://issuer.example/jwks"}, "must be an https URL"),
        ({"SELLERGATE_JWKS_URL": "https://issuer.example/jwks?a=b#c"}, "SELLERGATE_JWKS_URL: must be a URL"),
        ({"SELLERGATE_JWKS_URL": "https://u:p@issuer.example/jwks?a=b"}, "SELLERGATE_JWKS_URL: must be a URL"),
    ],
)
def test_a_start_needs_exactly_one_valid_way_of_authentication(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], problem: str
) -> None:
    for name in ("SELLERGATE_JWT_SECRET", "SELLERGATE_JWKS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**TLS, **JWT, **given}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings(EdgeSettings)
    assert problem in str(caught.value)
    assert "xxxx" not in str(caught.value)


def test_a_jwks_url_may_have_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELLERGATE_JWT_SECRET", raising=False)
    url = "https://issuer.example/discovery/keys?p=b2c_1_policy"
    for name, value in {**TLS, **JWT, "SELLERGATE_JWKS_URL": url}.items():
        monkeypatch.setenv(name, value)
    assert read_settings(EdgeSettings).jwks_url == url


TOKEN = jwt.encode({"sub": "u1", "aud": "a", "iss": "i", "exp": 2**33}, "x" * 32, algorithm="HS256")
CONNECTION = '{"amazonSellerId": "A1B2C3D4E5", "marketplace": "US", "marketplaceIds": %s, "refreshToken": "%s"}'


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b'"\xff"', "body"),
        (b"[" * 100_000, "body"),
        (b"9" * 10_000, "body"),
        (CONNECTION % ("[1]", "x"), "marketplaceIds[0]"),
        (CONNECTION % ("[]", "\\ud800"), "refreshToken"),
        (CONNECTION % ('["\\udc00"]', "x"), "marketplaceIds"),
    ],
    ids=["empty", "cut", "bytes", "deep", "long", "number", "half a character", "half a character among ids"],
)
async def test_an_invalid_body_is_refused_by_field(app: FastAPI, content: bytes | str, field: str) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    response = await send_request(app, "POST", "/api/amazon/accounts", content=content, headers=headers)
    assert (response.status_code, response.json()["reason"]) == (400, "INVALID_REQUEST")
    assert [violation["field"] for violation in response.json()["violations"]] == [field]


@pytest.mark.parametrize(
    ("members", "status"),
    [({"x" * 1_000_000: 1}, 413), ({"x" * 100_000: 1}, 400), ({f"m{number}": 1 for number in range(8_000)}, 400)],
)
async def test_a_problem_is_small_for_a_request_of_any_size(app: FastAPI, members: dict[str, int], status: int) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    response = await send_request(app, "POST", "/api/amazon/accounts", json=members, headers=headers)
    assert response.status_code == status
    assert len(response.content) < 4_096


@pytest.mark.parametrize("etag", ["", '""', '"v1', 'v1"', 'W/"v1"', '"v1", "v2"', '"v 1"', "v" * 65, '"é"'])
async def test_an_invalid_if_match_does_not_match_everything(app: FastAPI, etag: str) -> None:
    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"if-match", etag.encode("latin-1"))]
    for method, given in (("DELETE", {}), ("PATCH", {"json": {"sandbox": True}})):
        response = await send_request(app, method, "/api/amazon/accounts/a", headers=headers, **given)
        assert response.status_code == 400
        assert [violation["field"] for violation in response.json()["violations"]] == ["If-Match"]


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("account.marketplace_ids[1]", "marketplaceIds[1]"),
        ("filter.marketplace", "marketplace"),
        ("marketplaceIds[1]", "marketplaceIds[1]"),
        ("x-sellergate-sandbox", "x-sellergate-sandbox"),
        ("If-Match", "If-Match"),
        ("idempotency_key", "Idempotency-Key"),
        ("body", "body"),
    ],
)
async def test_a_field_has_the_spelling_of_the_request(app: FastAPI, field: str, shown: str) -> None:
    @app.get("/fails")
    async def fails() -> None:
        raise InvalidRequest.of_field(field, "must be set")

    assert (await send_request(app, "GET", "/fails")).json()["violations"] == [
        {"field": shown, "description": "must be set"}
    ]
