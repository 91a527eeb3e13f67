"""The gateway of the cluster: its own wiring, on simulated channels and Amazon, and the calls of clients through it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from unittest import mock

from sellergate.gateway.v1 import call_pb2, gateway_service_pb2
from sellergate_amazon.operations import BUNDLED, Catalogue
from sellergate_client.rpc import replicas
from sellergate_common.identity.policy import Access
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.channel import invoke
from sellergate_common.tasks import BackgroundTasks
from sellergate_gateway import wiring

from simulation.cluster import REDIS_URL, RING, World
from simulation.plan import REPLICAS
from simulation.world.amazon import RESTRICT
from simulation.world.http import SANDBOX, SpApi
from simulation.world.loop import Node
from simulation.world.rpc import Server

HOST = "https://spapi.simulation"
_TOKENS = ",".join(f"token-{number}" for number in range(1, REPLICAS["token"] + 1))
_REGIONS, _SANDBOXES = (dict.fromkeys(("NA", "EU", "FE"), host) for host in (HOST, SANDBOX))
SETTINGS: Any = SimpleNamespace(
    account_target="account",
    token_target=f"ipv4:{_TOKENS}",
    iam_target="iam",
    account_copies=1000,
    token_ring=RING,
    credentials_ring=RING,
    outbound=None,
    document_servers=(),
    catalogue=BUNDLED,
    production=_REGIONS,
    sandbox=_SANDBOXES,
    interactive_share=0.2,
    quota_mode="shared",
    connection_age_seconds=300,
    operators=frozenset(),
)
CONTRACTS = (gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],)
READS = (
    "fba-inventory/v1/getInventorySummaries",
    "invoices/2024-06-19/getInvoicesAttributes",
    "services/v1/getServiceJobs",
)
WRITES = ("fulfillment-outbound/2020-07-01/createFulfillmentOrder", "awd/2024-05-09/createInbound")
OTHERS = ("notifications/v1/getDestination", "orders/v0/getOrderBuyerInfo")
"""A call with the application's own token, and one with a token for restricted data."""
MORE = (
    "listings-restrictions/2021-08-01/getListingsRestrictions",
    "vendor-df-shipping/2021-12-28/getShippingLabels",
)
"""A call that Amazon limits for the whole application too, and one for whose data the application gets no token."""
_PATHS = {OTHERS[0]: "destinationId", OTHERS[1]: "orderId"}
_QUERIES = {
    READS[0]: (
        ("granularityId", "ATVPDKIKX0DER"),
        ("granularityType", "Marketplace"),
        ("marketplaceIds", "ATVPDKIKX0DER"),
    ),
    READS[1]: (("marketplaceId", "ATVPDKIKX0DER"),),
    READS[2]: (("marketplaceIds", "ATVPDKIKX0DER"),),
}


@lru_cache(1)
def read_catalogue(_: Any) -> Catalogue:
    """Return the bundled catalogue, which is read once for all runs."""
    return Catalogue.read(BUNDLED)


def rates() -> dict[str, tuple[float, int]]:
    """Return Amazon's rates and bursts of the operations that clients call: those of the catalogue."""
    found = {}
    for name in (*READS, *WRITES, *OTHERS, *MORE, RESTRICT):
        operation = read_catalogue(BUNDLED).get(name)
        assert operation is not None and operation.rate and operation.burst  # noqa: PT018
        found[name] = operation.rate, operation.burst
    return found


@contextmanager
def simulated_ports(world: World) -> Iterator[None]:
    """Replace what the gateway's wiring opens: channels, Amazon and documents."""

    def open_channel(target: str, _: str, __: Any, contracts: Sequence[Any]) -> Any:
        name = "token" if target == SETTINGS.token_target else target.removeprefix("ipv4:")
        return world.channel(name, "gateway", contracts)

    @asynccontextmanager
    async def open_amazon(_: Any) -> AsyncIterator[SpApi]:
        yield SpApi(world.wire())

    @asynccontextmanager
    async def open_documents(*_: Any) -> AsyncIterator[None]:
        yield None

    with ExitStack() as stack:
        for place, name, value in (
            (wiring, "Identity", SimpleNamespace(read=lambda _: None)),
            (wiring, "open_channel", open_channel),
            (replicas, "open_channel", open_channel),
            (wiring, "open_amazon", open_amazon),
            (wiring, "open_documents", open_documents),
            (wiring, "Catalogue", SimpleNamespace(read=read_catalogue)),
        ):
            stack.enter_context(mock.patch.object(place, name, value))
        yield


@asynccontextmanager
async def serve_gateway(world: World, node: Node, server: Server) -> AsyncIterator[None]:
    """Serve calls, as the gateway's `__main__` does."""
    background = world.backgrounds[node.name] = BackgroundTasks()
    health: Any = SimpleNamespace(metrics=RpcMetrics(), background=background, draining=asyncio.Event())
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(REDIS_URL))
        servicers = await stack.enter_async_context(wiring.open_servicers(SETTINGS, redis, health))
        server.serve("gateway", servicers, Access())
        yield
        health.draining.set()


async def call(stub: Any, name: str, key: str, account_id: str, seconds: float) -> Any:
    """Call an operation of SP-API; `key` identifies the call at Amazon. Raises SellergateError."""
    return await invoke(stub.Call, request_of(name, key, account_id), dependency="gateway", seconds=seconds)


def request_of(name: str, key: str, account_id: str) -> call_pb2.CallRequest:
    """Return the request of a call; `key` identifies it at Amazon."""
    request = call_pb2.CallRequest(account_id=account_id, operation=name)
    for parameter, value in _QUERIES.get(name, ()):
        request.query.parameters.add(name=parameter, value=value)
    if name in WRITES:
        request.body = key.encode()
        request.content_type = "application/json"
    elif name in _PATHS:
        request.path_params[_PATHS[name]] = key
    else:
        request.query.parameters.add(name="nextToken", value=key)
    return request
