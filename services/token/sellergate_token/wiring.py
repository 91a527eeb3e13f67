"""The composition of the token service: tokens, rotations and website authorizations."""

import random
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc
from redis.asyncio import Redis
from sellergate.account.v1 import account_pb2, application_pb2
from sellergate_client.rpc.account_changes import ACCOUNT, APPLICATION, GrpcAccountChanges
from sellergate_common.cache.invalidation import InvalidationFeed, InvalidationListener
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.context import new_request_id
from sellergate_common.feed.follower import ChangeFollower
from sellergate_common.feed.ports import CopyHolder
from sellergate_common.feed.trust import Trust
from sellergate_common.observability.logs import get_logger
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.admission_metrics import AdmissionMetrics
from sellergate_common.tasks import BackgroundTasks

from sellergate_token.account_service import GrpcAccounts, GrpcApplications, GrpcSellers, GrpcStored
from sellergate_token.authorizations.redis import RedisStates
from sellergate_token.authorizations.service import Authorizations
from sellergate_token.lwa.client import MOST_EXCHANGES
from sellergate_token.rotation.consumer import RotationQueue
from sellergate_token.rotation.handlers import RotationHandlers
from sellergate_token.rotation.messages import order_of
from sellergate_token.rotation.metrics import rotation_count
from sellergate_token.rotation.redis import RedisSeen
from sellergate_token.rotation.service import Rotations
from sellergate_token.rotation.webhooks import Webhooks
from sellergate_token.settings import TokenSettings
from sellergate_token.tokens.exchanges import Exchanges
from sellergate_token.tokens.redis import RedisVerificationLimiter, redis_tokens
from sellergate_token.tokens.service import Tokens
from sellergate_token.tokens.verification import Verifications

SECRET_BYTES = 32
# More requests at once would only wait in the account service.
LOOKS_AT_ONCE = 32


def make_tokens(
    settings: TokenSettings, account: grpc.aio.Channel, redis: Redis, changes: InvalidationFeed, exchanges: Exchanges
) -> tuple[Tokens, Verifications, Mapping[str, Sequence[InvalidationListener]], ChangeFollower]:
    """Wire tokens and verifications to the account service, Redis and LWA.

    Return them with the listeners of each channel, and with the follower of changes of accounts and applications.
    """
    # Admission applies only to fetches: cached tokens are returned under any load.
    fetches = Admission(MOST_EXCHANGES, time.monotonic, random.random)
    looks = Admission(LOOKS_AT_ONCE, time.monotonic, random.random, then=fetches)
    AdmissionMetrics.register(looks=looks, exchanges=fetches)
    cache = redis_tokens(redis, settings.ring, changes, SYSTEM_CLOCK, random.random, fetches.issue_ticket)
    trust, size = Trust(), settings.account_copies
    accounts: StaleIfErrorCache[account_pb2.Account] = StaleIfErrorCache(
        time.monotonic, lambda: changes.connected, trust=trust, version_of=lambda copied: copied.version, size=size
    )
    applications: StaleIfErrorCache[application_pb2.Application] = StaleIfErrorCache(
        time.monotonic, lambda: False, trust=trust, version_of=lambda copied: copied.version, size=size
    )
    holders: Mapping[str, Sequence[CopyHolder]] = {ACCOUNT: (accounts,), APPLICATION: (applications,)}
    follower = ChangeFollower(GrpcAccountChanges(account), holders, trust, SYSTEM_CLOCK)
    source = GrpcAccounts(account, accounts, applications, looks.issue_ticket)
    tokens = Tokens(source, exchanges, cache, time.time)
    turns = RedisVerificationLimiter(redis, settings.ring)
    verifications = Verifications(source, exchanges, tokens, cache, turns, time.time)
    return tokens, verifications, {ACCOUNT_CHANGES: (accounts,), **cache.listeners}, follower


def make_authorizations(
    settings: TokenSettings, account: grpc.aio.Channel, redis: Redis, exchanges: Exchanges
) -> Authorizations[account_pb2.Account]:
    """Wire the authorizations to the account service, Redis and LWA."""
    return Authorizations(
        GrpcApplications(account),
        GrpcSellers(account),
        RedisStates(redis, settings.ring),
        exchanges,
        settings.seller_central,
        SYSTEM_CLOCK,
        lambda: secrets.token_urlsafe(SECRET_BYTES),
    )


@asynccontextmanager
async def open_rotations(
    settings: TokenSettings, channel: grpc.aio.Channel, redis: Redis, exchanges: Exchanges, background: BackgroundTasks
) -> AsyncIterator[RotationHandlers]:
    """Yield the handlers of rotations, and consume the queue meanwhile."""
    webhooks = Webhooks(settings.webhooks, RedisSeen(redis), time.time)
    rotations = Rotations(GrpcStored(channel), exchanges, lambda: datetime.now(UTC))
    handlers = RotationHandlers(webhooks, rotations, rotation_count())
    if settings.rotation_queue_url is None:
        yield handlers
        return
    from sellergate_token.rotation.sqs_queue import SqsQueue  # noqa: PLC0415  (boto3 is loaded only where a queue is set)

    queue = SqsQueue(
        settings.rotation_queue_url,
        settings.aws_region,
        visibility_seconds=settings.rotation_queue_visibility_seconds,
        route=settings.outbound,
    )
    consumer = RotationQueue(
        queue,
        handlers.queue_message,
        order_of=order_of,
        clock=SYSTEM_CLOCK,
        jitter=random.random,
        new_id=new_request_id,
    )
    get_logger().info("rotation_queue_consumed")
    async with background.run("rotation_queue", consumer.run):
        yield handlers
