"""Connections to Redis without TLS, which reach only this machine: also to servers that a sentinel or a cluster names later."""

from redis.asyncio.connection import Connection
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from sellergate_common.observability.logs import get_logger
from sellergate_common.settings import is_loopback


def _check(host: str, port: int) -> None:
    """Raise ConnectionError for another machine. Nothing was sent to it."""
    if not is_loopback(host):
        setting = "SELLERGATE_REDIS_ALLOW_PLAIN"
        get_logger().error("redis_without_tls", host=host, port=port, setting=setting)
        raise RedisConnectionError(
            f"No connection without TLS is made to Redis on another machine, {host}:{port}: REDIS_URL must begin with rediss;"
            f" {setting}=true allows a connection without TLS."
        )


class NearConnection(Connection):
    """A connection without TLS to this machine."""

    async def _connect(self) -> None:
        _check(self.host, int(self.port))
        await super()._connect()  # type: ignore[no-untyped-call]  # (the library's own)


class NearSentinelConnection(SentinelManagedConnection):
    """A connection without TLS to a primary on this machine, which a sentinel names."""

    async def _connect(self) -> None:
        _check(self.host, int(self.port))
        await super()._connect()  # type: ignore[no-untyped-call]  # (likewise)
