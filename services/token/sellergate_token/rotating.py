"""Wires what rotations need: the doors, and the consumer of the operator's queue where one is set."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import grpc
from redis.asyncio import Redis
from sellergate_common.logs import get_logger

from sellergate_token.exchanges import Exchanges
from sellergate_token.grpc_stored import GrpcStored
from sellergate_token.redis_seen import RedisSeen
from sellergate_token.rotation import Rotations
from sellergate_token.rotation_doors import RotationDoors
from sellergate_token.rotation_metrics import rotation_count
from sellergate_token.rotation_queue import RotationQueue
from sellergate_token.settings import TokenSettings
from sellergate_token.webhooks import Webhooks


@asynccontextmanager
async def open_rotations(
    settings: TokenSettings, channel: grpc.aio.Channel, redis: Redis, exchanges: Exchanges
) -> AsyncIterator[RotationDoors]:
    """Yield the doors; the queue is consumed meanwhile."""
    webhooks = Webhooks(settings.webhooks, RedisSeen(redis), time.time)
    rotations = Rotations(GrpcStored(channel), exchanges, lambda: datetime.now(UTC))
    doors = RotationDoors(webhooks, rotations, rotation_count())
    if settings.rotation_queue_url is None:
        yield doors
        return
    from sellergate_token.sqs_queue import SqsQueue  # noqa: PLC0415  (boto3 is loaded only where a queue is set)

    queue = SqsQueue(
        settings.rotation_queue_url, settings.aws_region, visibility_seconds=settings.rotation_queue_visibility_seconds
    )
    consumer = asyncio.create_task(RotationQueue(queue, doors.queue_message, random.random).run())
    get_logger().info("rotation_queue_consumed")
    try:
        yield doors
    finally:
        consumer.cancel()
        with suppress(asyncio.CancelledError):
            await consumer
