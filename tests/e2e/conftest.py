"""One suite for all end-to-end tests: real processes, logs at debug, and all responses of the edge recorded."""

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

OPERATOR = "an-operator"
"""The user that sees the accounts of all users."""
OWN = ("edge", "account", "token", "iam", "gateway")


def ephemeral_ports() -> dict[str, int]:
    """Return free ports for every process; the simulator needs five consecutive ones."""
    ports = zip((f"{name}_port" for name in OWN), free_ports(len(OWN)), strict=True)
    return {**dict(ports), "simulator_port": free_row(5)[0]}


@pytest.fixture(scope="session")
async def collector() -> AsyncIterator[Collector]:
    """Run a collector of the suite's traces; only calls whose caller samples them are traced."""
    async with collecting() as running:
        yield running


@pytest.fixture(scope="session")
def responses() -> list[bytes]:
    """Return the list of all responses of the edge."""
    return []


@pytest.fixture(scope="session")
async def suite(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector, responses: list[bytes]
) -> AsyncIterator[Suite]:
    """Run the whole suite with the simulator; each parallel worker has its own."""
    folder: Path = tmp_path_factory.mktemp("suite")
    settings = DevstackSettings(state_dir=folder, log_level="debug", simulator="on", **ephemeral_ports())
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            # An authorization ends at the edge's own page, not at the console.
            patch.setenv("SELLERGATE_OAUTH_DONE_PAGE", "")
            # The tests of one worker connect their sellers for the same user, each with an application of its own.
            patch.setenv("SELLERGATE_APPLICATIONS_PER_USER", "2000")
            patch.setenv("SELLERGATE_CLIENTS_PER_USER", "2000")
            patch.setenv("SELLERGATE_OPERATOR_USERS", OPERATOR)
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
            patch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
            patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
            running = await stack.enter_async_context(running_suite(settings, lambda _: None))
        yield running
        # All remaining data of this suite's tests is searched for secrets at its end.
        places = {
            **await hunt.places_of(running),
            "traces": bytes(collector.raw),
            "REST responses": b"\n".join(responses),
        }
        assert not hunt.find(places, hunt.secrets_of(running))


@dataclass
class Rest:
    """A frontend: a client of the edge that records every response."""

    suite: Suite
    client: httpx.AsyncClient
    responses: list[bytes] = field(default_factory=list)

    async def request(self, method: str, path: str, user: str | None = "u1", **given: Any) -> httpx.Response:
        headers = dict(given.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = f"Bearer {self.suite.jwt(user)}"
        response = await self.client.request(method, path, headers=headers, **given)
        self.responses.append(repr(response.headers).encode() + response.content)
        return response

    async def connect(self, seller: Seller, user: str = "u1") -> str:
        """Connect a seller and return the account ID."""
        response = await self.request("POST", "/api/amazon/accounts", user, json=seller.connection())
        assert response.status_code in (200, 201), response.text
        return str(response.json()["id"])


@pytest.fixture(scope="session")
async def rest(suite: Suite, responses: list[bytes]) -> AsyncIterator[Rest]:
    """Return a frontend."""
    async with httpx.AsyncClient(base_url=suite.edge, timeout=40, trust_env=False) as client:
        yield Rest(suite, client, responses)


@pytest.fixture(scope="session")
async def control(suite: Suite) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the simulator's control API."""
    async with httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
async def client(suite: Suite) -> AsyncIterator[Sellergate]:
    """Return an internal service's client library."""
    identity = suite.identity("client/demo")
    async with Sellergate.connect(suite.target("gateway"), suite.target("account"), identity) as connected:
        yield connected


@pytest.fixture
async def seller(control: httpx.AsyncClient) -> Seller:
    """Return a seller that is seeded at Amazon and not yet connected."""
    return await Seller.seeded(control)


@pytest.fixture
async def gateway(suite: Suite) -> AsyncIterator[GatewayServiceStub]:
    """Return a stub of the gateway, for an internal service without the client library."""
    async with open_channel(suite.target("gateway"), "gateway", suite.identity("client/demo"), []) as channel:
        yield GatewayServiceStub(channel)


@pytest.fixture
async def fast(control: httpx.AsyncClient) -> AsyncIterator[None]:
    """Raise Amazon's quotas so that no test waits; remove faults at the end of the test."""
    (await control.post("/control/rates", json={"scale": 1000, "burst_scale": 10})).raise_for_status()
    yield
    (await control.request("DELETE", "/control/faults")).raise_for_status()
    (await control.post("/control/rates", json={"scale": 1})).raise_for_status()
