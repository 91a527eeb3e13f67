"""The trace of one drop-in call of a cold account: through every service to Amazon, with times and without secrets."""

import asyncio
import json
import secrets

from tests.e2e.collector import Collector, Span
from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn
from tests.e2e.sellers import Seller

PATH = "/orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER&CreatedAfter=2026-01-01T00:00:00Z"


async def spans_of(collector: Collector, trace: str, name: str) -> list[Span]:
    """Return the spans of a trace, once the last one has arrived."""
    for _ in range(100):
        found = [span for span in collector.spans if span.trace == trace]
        if any(span.name == name and span.service == "edge" for span in found) and len(found) > 10:
            await asyncio.sleep(1)
            return [span for span in collector.spans if span.trace == trace]
        await asyncio.sleep(0.1)
    raise AssertionError(f"no trace: {collector.spans[-5:]}")


async def test_one_call_has_spans_of_every_service(
    rest: Rest, seller: Seller, collector: Collector, fast: None
) -> None:
    account_id = await rest.connect(seller)
    sdk = await DropIn.made(rest, "u1", account_id)
    token = await sdk.token(rest.client)
    trace = secrets.token_hex(16)
    headers = {"x-amz-access-token": token, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    response = await rest.client.get(PATH, headers=headers)
    assert response.status_code == 200, response.text
    spans = await spans_of(collector, trace, "GET")
    ways = {way(span, spans) for span in spans}
    for wanted in (
        "edge GET",
        "edge GET > edge call gateway > gateway sellergate.gateway.v1.GatewayService/Call",
    ):
        assert wanted in ways, ways
    inside = "edge GET > edge call gateway > gateway sellergate.gateway.v1.GatewayService/Call"
    token_call = f"{inside} > gateway call token > token sellergate.token.v1.TokenService/GetAccessToken"
    wanted_inside = {
        f"{inside} > gateway GET orders/v0/getOrders",
        token_call,
        f"{token_call} > token LWA refresh_token",
    }
    assert wanted_inside <= ways, sorted(ways)
    assert any(way.startswith(token_call) and way.endswith("AccountSecretsService/GetAccountSecrets") for way in ways)
    assert any("gateway call iam" in way and way.endswith("iam STS AssumeRole") for way in ways)
    assert any(way.endswith("> account database read") for way in ways)
    assert any(way.endswith("> gateway redis EVALSHA") for way in ways)
    assert all(span.nanoseconds > 0 for span in spans)
    (edge,) = [span for span in spans if span.service == "edge" and span.name == "GET"]
    await asyncio.sleep(0.1)
    for service in ("edge", "gateway", "token", "account", "iam"):
        lines = [json.loads(line) for line in rest.suite.log(service).read_text().splitlines() if trace in line]
        assert lines, service
        assert account_id in {line.get("account_id") for line in lines}, service
        assert service != "gateway" or {line.get("operation") for line in lines} == {"orders/v0/getOrders"}
    assert edge.attributes["request_id"] == response.headers["x-request-id"]
    assert edge.attributes["http.route"] == "/{sp-api}"
    for secret in (*seller.secrets, token, "CreatedAfter", seller.seller_id):
        assert secret.encode() not in collector.raw


def way(span: Span, spans: list[Span]) -> str:
    """Return the names from the root to a span."""
    by_id = {one.id: one for one in spans}
    names = [f"{span.service} {span.name}"]
    while (span := by_id.get(span.parent)) is not None:  # type: ignore[assignment]
        names.append(f"{span.service} {span.name}")
    return " > ".join(reversed(names))


async def test_a_call_without_a_sampled_parent_is_not_traced(rest: Rest, collector: Collector) -> None:
    before = len(collector.spans)
    for _ in range(5):
        await rest.request("GET", "/api/amazon/accounts")
    await asyncio.sleep(0.8)
    assert len(collector.spans) == before
