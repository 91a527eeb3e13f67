"""One suite for all end-to-end tests: every process real, logs at debug, everything the edge says recorded."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_client import Sellergate
from sellergate_common.rpc.channel import open_channel
from sellergate_devstack.processes.ports import free_ports, free_row
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e import hunt
from tests.e2e.collector import Collector, collecting
from tests.e2e.sellers import Seller

OWN = ("edge", "account", "token", "iam", "gateway")


def ephemeral_ports() -> dict[str, int]:
    """Free ports for every process; the simulator takes five in a row."""
    ports = zip((f"{name}_port" for name in OWN), free_ports(len(OWN)), strict=True)
    return {**dict(ports), "simulator_port": free_row(5)[0]}


@pytest.fixture(scope="session")
async def collector() -> AsyncIterator[Collector]:
    """Where the suite's traces go: those that a caller wants, for nothing is sampled by itself."""
    async with collecting() as running:
        yield running


@pytest.fixture(scope="session")
def responses() -> list[bytes]:
    """All that the edge responded with."""
    return []


@pytest.fixture(scope="session")
async def suite(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector, responses: list[bytes]
) -> AsyncIterator[Suite]:
    """The whole suite, with the simulator; each worker of a run side by side has its own."""
    folder: Path = tmp_path_factory.mktemp("suite")
    settings = DevstackSettings(state_dir=folder, log_level="debug", simulator="on", **ephemeral_ports())
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            # The edge's own page is shown at the end of an authorization, and not the console.
            patch.setenv("SELLERGATE_OAUTH_DONE_PAGE", "")
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
            patch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
            patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
            running = await stack.enter_async_context(running_suite(settings, lambda _: None))
        yield running
        # Whatever the tests of this suite left behind is searched once more at its end.
        places = {
            **await hunt.places_of(running),
            "traces": bytes(collector.raw),
            "REST answers": b"\n".join(responses),
        }
        assert not hunt.find(places, hunt.secrets_of(running))


@dataclass
class Rest:
    """A frontend: a client of the edge that remembers every response."""

    suite: Suite
    client: httpx.AsyncClient
    responses: list[bytes] = field(default_factory=list)

    async def ask(self, method: str, path: str, user: str | None = "u1", **given: Any) -> httpx.Response:
        headers = dict(given.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = f"Bearer {self.suite.jwt(user)}"
        response = await self.client.request(method, path, headers=headers, **given)
        self.responses.append(repr(response.headers).encode() + response.content)
        return response

    async def connect(self, seller: Seller, user: str = "u1") -> str:
        """Connect a seller and return the account's id."""
        response = await self.ask("POST", "/api/amazon/accounts", user, json=seller.connection())
        assert response.status_code in (200, 201), response.text
        return str(response.json()["id"])


@pytest.fixture(scope="session")
async def rest(suite: Suite, responses: list[bytes]) -> AsyncIterator[Rest]:
    """A frontend."""
    async with httpx.AsyncClient(base_url=suite.edge, timeout=40, trust_env=False) as client:
        yield Rest(suite, client, responses)


@pytest.fixture(scope="session")
async def control(suite: Suite) -> AsyncIterator[httpx.AsyncClient]:
    """The simulator's control API."""
    async with httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
async def client(suite: Suite) -> AsyncIterator[Sellergate]:
    """An internal service with the client library."""
    identity = suite.identity("client/demo")
    async with Sellergate.connect(suite.target("gateway"), suite.target("account"), identity) as connected:
        yield connected


@pytest.fixture
async def seller(control: httpx.AsyncClient) -> Seller:
    """A seller that Amazon knows and Sellergate does not yet."""
    return await Seller.seeded(control)


@pytest.fixture
async def gateway(suite: Suite) -> AsyncIterator[GatewayServiceStub]:
    """The gateway, as an internal service without the client library sees it."""
    async with open_channel(suite.target("gateway"), "gateway", suite.identity("client/demo"), []) as channel:
        yield GatewayServiceStub(channel)


@pytest.fixture
async def fast(control: httpx.AsyncClient) -> AsyncIterator[None]:
    """Quotas at Amazon that no test waits for; faults end with the test."""
    (await control.post("/control/rates", json={"scale": 1000, "burst_scale": 10})).raise_for_status()
    yield
    (await control.request("DELETE", "/control/faults")).raise_for_status()
    (await control.post("/control/rates", json={"scale": 1})).raise_for_status()
