"""Malformed and oversized responses of LWA, STS and SP-API: no INTERNAL, nothing stored, and bounded memory."""

import asyncio
import base64
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as gateway_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate.iam.v1.iam_service_pb2 import AssumeRoleRequest
from sellergate.iam.v1.iam_service_pb2_grpc import IamServiceStub
from sellergate.token.v1.token_service_pb2 import GetAccessTokenRequest, InlineCredentials
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.rpc.channel import invoke, invoke_stream, open_channel
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.sellers import Seller
from tests.system.processes import megabytes, peaks
from tests.unit.amazon.test_parsing import bodies, content_encodings, content_types

RESPONSES, AT_ONCE, MOST_MEGABYTES = 500, 8, 64.0
# The most attempts of the services for one call.
ATTEMPTS = 4
MIB = 1024 * 1024
Response = dict[str, Any]


def response(body: bytes, status: int = 200, **headers: str) -> Response:
    return {"status": status, "headers": headers, "body": base64.b64encode(body).decode()}


def odd_responses(count: int) -> list[Response]:
    """Generated responses, the same in every run."""
    found = list[Response]()

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies, content_types, content_encodings, st.sampled_from([200, 200, 200, 400, 403, 404]))
    def collect(body: bytes, content_type: str, content_encoding: str, status: int) -> None:
        headers = {"Content-Type": content_type, "Content-Encoding": content_encoding}
        # Responses that no HTTP server can send are left out.
        found.append(response(body, status, **{n: v for n, v in headers.items() if v.isascii() and v.isprintable()}))

    collect()
    return found[:count]


def large_responses() -> list[Response]:
    """Responses that are large, or become large when they are read."""
    json = {"Content-Type": "application/json"}
    bombs = [
        response(b'{"access_token": "' + b"x" * 20 * MIB + b'"}', **json),
        response(b" " * 30 * MIB, **json),
        response(b"[" + b"{}," * (5 * MIB) + b"{}]", **json),
        response(b'{"payload": {"Orders": [' + b"[]," * (4 * MIB) + b"[]]}}", **json),
        response(b"[" * 15 * MIB, **json),
        response(gzip.compress(b"[" + b"{}," * (5 * MIB) + b"{}]", 1), **json, **{"Content-Encoding": "gzip"}),
        response(gzip.compress(b" " * 200 * MIB, 1), **json, **{"Content-Encoding": "gzip"}),
        response(b"<a>" * 80_000, **{"Content-Type": "text/xml"}),
        response(b"<a>" + b"<b/>" * 5 * MIB + b"</a>", **{"Content-Type": "text/xml"}),
        response(
            b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'"><!ENTITY c "' + b"&b;" * 1000 + b'">]><a>&c;&c;&c;</a>',
            **{"Content-Type": "text/xml"},
        ),
    ]
    return [*bombs, *({**one, "status": 400} for one in bombs)]


@dataclass
class World:
    """The suite and its callers' outcomes."""

    suite: Suite
    control: httpx.AsyncClient
    account_id: str = ""
    role_arn: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    async def fed(self, kind: str, responses: Sequence[Response], call: Callable[[int], Awaitable[object]]) -> None:
        """Make calls, several at once, each of whose attempts gets the next response."""
        for start in range(0, len(responses), AT_ONCE):
            some = responses[start : start + AT_ONCE]
            for one in some:
                fault = {"kind": kind, "count": ATTEMPTS, "response": one}
                (await self.control.post("/control/faults", json=fault)).raise_for_status()
            await asyncio.gather(*(self._noted(kind, call) for _ in some))
            (await self.control.request("DELETE", "/control/faults")).raise_for_status()

    async def _noted(self, kind: str, call: Callable[[int], Awaitable[object]]) -> None:
        self.calls += 1
        try:
            await call(self.calls)
            self.seen[f"{kind} OK"] += 1
        except SellergateError as error:
            self.seen[f"{kind} {error.reason}"] += 1


Way = Callable[[int], Awaitable[object]]


@asynccontextmanager
async def opened_ways(world: World) -> AsyncIterator[list[tuple[str, Way]]]:
    """Return the calls that get the responses, each with its kind of fault."""
    async with AsyncExitStack() as stack:

        async def opened(name: str) -> Any:
            suite = world.suite
            return await stack.enter_async_context(
                open_channel(suite.target(name), name, suite.identity("operator"), [])
            )

        token, iam = TokenServiceStub(await opened("token")), IamServiceStub(await opened("iam"))
        gateway = GatewayServiceStub(await opened("gateway"))

        async def exchange(number: int) -> object:
            own = InlineCredentials(client_id=f"c-{number}", client_secret="s", refresh_token=f"Atzr|{number}")
            return await invoke(token.GetAccessToken, GetAccessTokenRequest(credentials=own), dependency="token")

        async def assume(number: int) -> object:
            request = AssumeRoleRequest(role_arn=world.role_arn, session_name=f"session-{number}")
            return await invoke(iam.AssumeRole, request, dependency="iam")

        def orders(**more: Any) -> call_pb2.CallRequest:
            query = "MarketplaceIds=ATVPDKIKX0DER&CreatedAfter=2026-01-01T00:00:00Z"
            path = "/orders/v0/orders"
            return call_pb2.CallRequest(account_id=world.account_id, method="GET", path=path, raw_query=query, **more)

        async def passed_on(_: int) -> object:
            return await invoke(gateway.Call, orders(answer_mode=call_pb2.ANSWER_MODE_AS_IS), dependency="gateway")

        async def typed(_: int) -> object:
            return await invoke(gateway.Call, orders(), dependency="gateway")

        async def paged(_: int) -> object:
            pages = gateway_pb2.StreamPagesRequest(call=orders(), max_pages=3)
            stream = invoke_stream(gateway.StreamPages, pages, dependency="gateway", seconds=30)
            return [page async for page in stream]

        ways: list[Way] = [passed_on, typed, paged]
        yield [("lwa_given", exchange), ("sts_given", assume), *(("given", way) for way in ways)]


async def entries(suite: Suite) -> set[bytes]:
    """Return the names of all cached tokens and credentials."""
    async with Redis.from_url(suite.plan.redis_address) as redis:
        return {key async for key in redis.scan_iter("*") if key.startswith((b"tok:", b"cred:")) and key.endswith(b"}")}


@pytest.mark.timeout(1200)
async def test_odd_responses_store_nothing_and_cost_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELLERGATE_QUOTA_MODE", "shadow")  # counted without a waiting call
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    options = DevstackSettings(state_dir=tmp_path / "s", simulator="on", **ephemeral_ports())
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        suite = await enter(running_suite(options, lambda _: None))
        http = await enter(httpx.AsyncClient(base_url=suite.edge, timeout=60, trust_env=False))
        control = await enter(httpx.AsyncClient(base_url=suite.simulator or "", timeout=60, trust_env=False))
        seller = await Seller.seeded(control)
        (await control.post("/control/rates", json={"scale": 1e6, "burst_scale": 1e4})).raise_for_status()
        world = World(suite, control, await Rest(suite, http).connect(seller), seller.role_arn)
        ways = await stack.enter_async_context(opened_ways(world))
        await asyncio.gather(*(way(number) for number in range(10) for kind, way in ways if kind != "lwa_given"))
        before = await entries(suite)
        names, rises, idle = ("token", "iam", "gateway"), dict[str, float](), megabytes(suite)
        odd = odd_responses(RESPONSES)
        for kind, way in ways:
            with peaks(suite, names, f"odd, {way.__name__}", rises):
                await world.fed(kind, odd, way)
        for number, large in enumerate(large_responses()):
            for kind, way in ways:
                with peaks(suite, names, f"large {number}, {way.__name__}", rises):
                    await world.fed(kind, [large], way)
        kept = {name: size - idle[name] for name, size in megabytes(suite).items() if name in names}
        print(f"\n{dict(world.seen)}\nkept at the end (MiB): {kept}\nlargest rises (MiB):")
        print("\n".join(f"{rise:7.1f}  {what}" for what, rise in sorted(rises.items(), key=itemgetter(1))[-12:]))
        print("\n".join(f"{rise:7.1f}  {what}" for what, rise in rises.items() if "odd" in what and rise > 1))
        assert await entries(suite) == before
        assert not [seen for seen in world.seen if seen.endswith(f" {Reason.INTERNAL}")]
        assert {what: rise for what, rise in rises.items() if rise > MOST_MEGABYTES} == {}
        assert {name: size for name, size in kept.items() if size > MOST_MEGABYTES} == {}
