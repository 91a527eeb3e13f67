"""The composition root of the simulator: one state, and one handler per address."""

from collections.abc import Awaitable, Callable
from random import Random

from aiohttp import web
from sellergate_amazon.marketplaces import EU, FE, NA
from sellergate_amazon.operations import Catalogue

from sellergate_simulator.clock import Clock
from sellergate_simulator.control.api import Control
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.control.faults import Faults
from sellergate_simulator.http.front import Front
from sellergate_simulator.identity.consent import ConsentPages
from sellergate_simulator.identity.lwa import TokenEndpoint
from sellergate_simulator.identity.sts import SecurityTokenService
from sellergate_simulator.identity.tokens import AccessTokens
from sellergate_simulator.operations import inventory, listings, sellers
from sellergate_simulator.operations.documents import Documents
from sellergate_simulator.operations.feeds import Feeds
from sellergate_simulator.operations.orders_2026 import Orders2026
from sellergate_simulator.operations.orders_v0 import OrdersV0
from sellergate_simulator.operations.reports import Reports
from sellergate_simulator.operations.restricted_tokens import RestrictedTokens
from sellergate_simulator.operations.rotation import SecretRotation, send_later
from sellergate_simulator.seed import Seed
from sellergate_simulator.shops.order_book import OrderBook
from sellergate_simulator.spapi.api import SellingPartnerApi
from sellergate_simulator.spapi.buckets import Buckets
from sellergate_simulator.spapi.gate import Gate
from sellergate_simulator.state import World

RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def assemble(
    seed: Seed, clock: Clock, random: Random, ports: dict[str, int], catalogue: Catalogue, documents_url: str = ""
) -> dict[str, RequestHandler]:
    """Return the handler of each port name. `ports` is read when requests arrive; the server fills it.

    `documents_url`: the base URL of documents; empty: that of the main port.

    Raises ValueError when the seed is inconsistent.
    """
    world, tokens = World(), AccessTokens()
    buckets, counters, faults = Buckets(), Counters(), Faults(random)
    world.seed(seed)
    book = OrderBook(clock.wall())
    documents = Documents(clock, lambda: ports["main"], faults, documents_url)
    handlers = {
        **OrdersV0(book).handlers(),
        **Orders2026(book).handlers(),
        **inventory.handlers(),
        **listings.handlers(),
        **sellers.handlers(),
        **RestrictedTokens(world, tokens, catalogue).handlers(),
        **Reports(world, documents, book).handlers(),
        **Feeds(world, documents).handlers(),
        **SecretRotation(world, send_later).handlers(),
    }
    gate = Gate(catalogue, world, tokens, buckets, counters, clock)
    spapi = SellingPartnerApi(gate, faults, counters, handlers, clock)
    consent = ConsentPages(world, clock, lambda: ports["main"])
    control = Control(world, tokens, buckets, faults, counters, book, catalogue, clock, ports)
    lwa, sts = TokenEndpoint(world, tokens, counters, clock), SecurityTokenService(world, counters, clock)
    return {
        "main": Front(lwa, sts, documents, consent, control, faults, counters).handle,
        "na": lambda request: spapi.handle(request, NA),
        "eu": lambda request: spapi.handle(request, EU),
        "fe": lambda request: spapi.handle(request, FE),
        "sandbox": lambda request: spapi.handle(request, None),
    }
