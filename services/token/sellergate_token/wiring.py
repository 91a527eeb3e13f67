"""Wires rotations and the website authorization."""

import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc
from redis.asyncio import Redis
from sellergate.account.v1 import account_pb2
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.context import new_request_id
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import BackgroundTasks

from sellergate_token.account_service import GrpcApplications, GrpcSellers, GrpcStored
from sellergate_token.authorizations.redis import RedisStates
from sellergate_token.authorizations.service import Authorizations
from sellergate_token.rotation.consumer import RotationQueue
from sellergate_token.rotation.handlers import RotationDoors
from sellergate_token.rotation.messages import order_of
from sellergate_token.rotation.metrics import rotation_count
from sellergate_token.rotation.redis import RedisSeen
from sellergate_token.rotation.service import Rotations
from sellergate_token.rotation.webhooks import Webhooks
from sellergate_token.settings import TokenSettings
from sellergate_token.tokens.exchanges import Exchanges

SECRET_BYTES = 32


def make_authorizations(
    settings: TokenSettings, account: grpc.aio.Channel, redis: Redis, exchanges: Exchanges
) -> Authorizations[account_pb2.Account]:
    """Wire the authorizations to the account service, Redis and LWA."""
    return Authorizations(
        GrpcApplications(account),
        GrpcSellers(account),
        RedisStates(redis, settings.ring),
        exchanges,
        settings.centrals,
        time.time,
        lambda: secrets.token_urlsafe(SECRET_BYTES),
    )


@asynccontextmanager
async def open_rotations(
    settings: TokenSettings, channel: grpc.aio.Channel, redis: Redis, exchanges: Exchanges, background: BackgroundTasks
) -> AsyncIterator[RotationDoors]:
    """Yield the doors; the queue is consumed meanwhile."""
    webhooks = Webhooks(settings.webhooks, RedisSeen(redis), time.time)
    rotations = Rotations(GrpcStored(channel), exchanges, lambda: datetime.now(UTC))
    doors = RotationDoors(webhooks, rotations, rotation_count())
    if settings.rotation_queue_url is None:
        yield doors
        return
    from sellergate_token.rotation.sqs_queue import SqsQueue  # noqa: PLC0415  (boto3 is loaded only where a queue is set)

    queue = SqsQueue(
        settings.rotation_queue_url, settings.aws_region, visibility_seconds=settings.rotation_queue_visibility_seconds
    )
    consumer = RotationQueue(
        queue,
        doors.queue_message,
        order_of=order_of,
        clock=SYSTEM_CLOCK,
        jitter=random.random,
        new_id=new_request_id,
    )
    get_logger().info("rotation_queue_consumed")
    async with background.run("rotation_queue", consumer.run):
        yield doors
