"""Webhook messages in a real Redis: accepted once among all replicas, and never without Redis."""

import asyncio

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.errors import Unavailable
from sellergate_common.redis_client import open_redis
from sellergate_devstack.processes.ports import free_ports
from sellergate_token.rotation.redis import RedisSeen


async def test_one_of_many_replicas_receives_a_message_and_may_release_it(redis_url: str) -> None:
    async with open_redis(SecretStr(redis_url)) as one, open_redis(SecretStr(redis_url)) as two:
        replicas = RedisSeen(one), RedisSeen(two)
        claims = await asyncio.gather(*(replica.claim("digest") for replica in replicas * 10))
        assert sum(claims) == 1
        assert 600 <= await one.ttl("hook:digest") <= 900
        await replicas[0].release("digest")
        assert await replicas[1].claim("digest")


async def test_without_redis_no_message_is_accepted() -> None:
    async with open_redis(SecretStr(f"redis://127.0.0.1:{free_ports(1)[0]}")) as unreachable:
        with pytest.raises(Unavailable):
            await RedisSeen(unreachable).claim("digest")
        await RedisSeen(unreachable).release("digest")
    assert isinstance(unreachable, Redis)
