"""The services of the cluster: each composed as in its `wiring` and `__main__`, on simulated ports."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from sellergate_account.__main__ import CALLS_AT_ONCE, FEWEST_CALLS_AT_ONCE, POLLS
from sellergate_account.accounts import Accounts
from sellergate_account.applications import Applications
from sellergate_account.audit import Audit, current_actor
from sellergate_account.ids import new_external_id, new_uuid7
from sellergate_account.redis_change_publisher import RedisChangePublisher
from sellergate_account.rpc.accounts import AccountSecretsServicer, AccountServicer
from sellergate_account.rpc.applications import ApplicationServicer
from sellergate_amazon.seller_central import SellerCentral
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import TOKEN_PREFIX
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.clock_skew import measured_skew
from sellergate_common.identity.policy import Access
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.admission import Admission
from sellergate_common.slots import Slots
from sellergate_common.tasks import BackgroundTasks
from sellergate_token.account_service import CONTRACTS
from sellergate_token.lwa.client import EXCHANGE_SECONDS, MOST_EXCHANGES, HttpLwa
from sellergate_token.servicer import TokenServicer
from sellergate_token.tokens.exchanges import Exchanges
from sellergate_token.wiring import make_authorizations, make_tokens, open_rotations

from simulation.cluster import REDIS_URL, RING, World
from simulation.gateway import serve_gateway
from simulation.world.database import SimulatedChangeLog, SimulatedStore
from simulation.world.http import LwaTransport
from simulation.world.loop import Node
from simulation.world.patches import SimulatedDatetime
from simulation.world.rpc import Server

AUDIT_KEY = bytes(range(32))
TOKEN_SETTINGS: Any = SimpleNamespace(
    ring=RING,
    account_copies=1000,
    webhooks=(),
    rotation_queue_url=None,
    aws_region=None,
    seller_central=SellerCentral(),
)


@asynccontextmanager
async def serve_account(world: World, node: Node, server: Server) -> AsyncIterator[None]:  # noqa: ARG001
    """Serve accounts and applications, as the account service's `wiring` does."""
    async with open_redis(REDIS_URL) as redis:
        store = SimulatedStore(world.database)
        now = partial(SimulatedDatetime.now, None)
        audit = Audit(AUDIT_KEY, now, current_actor)
        applications = Applications(store, audit, now, new_uuid7)
        accounts = Accounts(store, applications, audit, RedisChangePublisher(redis), now, new_uuid7, new_external_id)
        servicers = (
            AccountServicer(accounts, SimulatedChangeLog(world.database)),
            AccountSecretsServicer(accounts, applications),
            ApplicationServicer(applications),
        )
        admission = Admission(CALLS_AT_ONCE, time.monotonic, random.random, fewest=FEWEST_CALLS_AT_ONCE)
        server.serve("account", servicers, Access(), admission, POLLS)
        yield


@asynccontextmanager
async def serve_token(world: World, node: Node, server: Server) -> AsyncIterator[None]:
    """Serve tokens, as the token service's `__main__` does."""
    background = world.backgrounds[node.name] = BackgroundTasks()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(REDIS_URL))
        slots = world.slots[node.name] = Slots("LWA", MOST_EXCHANGES, time.monotonic)
        lwa = HttpLwa(LwaTransport(world.wire()), slots, SYSTEM_CLOCK, random.random)
        channel: Any = world.channel("account", "token", CONTRACTS)
        await stack.enter_async_context(measured_skew(redis, TOKEN_PREFIX, SYSTEM_CLOCK, background))
        changes = InvalidationFeed(redis)
        exchanges = Exchanges(lwa, time.monotonic)
        stack.push_async_callback(exchanges.finish, EXCHANGE_SECONDS)
        made = make_tokens(TOKEN_SETTINGS, channel, redis, changes, exchanges)
        tokens, verifications, listeners, follower = made
        await stack.enter_async_context(changes.subscribe(listeners, background))
        await stack.enter_async_context(follower.following("account_changes", background))
        rotations = await stack.enter_async_context(
            open_rotations(TOKEN_SETTINGS, channel, redis, exchanges, background)
        )
        authorizations = make_authorizations(TOKEN_SETTINGS, channel, redis, exchanges)
        servicer = TokenServicer(tokens, verifications, rotations, authorizations)
        server.serve("token", (servicer,), Access())
        yield


SERVICES = {"account": serve_account, "token": serve_token, "gateway": serve_gateway}
