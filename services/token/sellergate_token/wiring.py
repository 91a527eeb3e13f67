"""Puts the website authorization together, for `__main__`."""

import secrets
import time

import grpc
from redis.asyncio import Redis
from sellergate.account.v1 import account_pb2

from sellergate_token.authorizations import Authorizations
from sellergate_token.exchanges import Exchanges
from sellergate_token.grpc_applications import GrpcApplications, GrpcSellers
from sellergate_token.redis_states import RedisStates
from sellergate_token.settings import TokenSettings

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
