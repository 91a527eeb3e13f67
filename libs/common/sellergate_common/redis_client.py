"""Clients of the shared Redis in any topology: each command has a deadline of one second and is tried once.

Callers can continue without Redis, so they do not wait for it. After a failover the next command finds the new primary:
through a sentinel, or through the topology of the cluster, which is read again after an error.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from pydantic import SecretStr
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection, Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelManagedConnection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import span
from sellergate_common.redis_url import Kind, Login, RedisTls, RedisUrl, parse_redis_url
from sellergate_common.settings import is_loopback

CONNECT_SECONDS = 1.0
RESPONSE_SECONDS = 1.0
SILENT_SECONDS = 1.0
_MAX_CONNECTIONS = 1000

# The errors that a client of this module raises when Redis is unreachable or refuses a command.
UNREACHABLE = (RedisError, RedisClusterException, OSError, TimeoutError)


@asynccontextmanager
async def open_redis(url: SecretStr, tls: RedisTls | None = None) -> AsyncIterator[Redis]:
    """Open a client of the Redis at `url` (see `redis_url`). Nothing is sent yet; every command has a deadline of 1 s.

    A client of a cluster is not a `Redis` by type, but supports everything that Sellergate sends: commands of one key,
    scripts whose keys share a hash tag, `publish`, `pubsub`, `scan_iter` (over all primaries) and `ping`.
    """
    place, tls = parse_redis_url(url), tls or RedisTls()
    options, only_near = _options(place, tls), not (place.tls or tls.allow_plain)
    if place.kind is Kind.CLUSTER:
        cluster = _Cluster(place, options, only_near=only_near)
        try:
            yield cast("Redis", cluster)
        finally:
            await cluster.aclose()
    elif place.kind is Kind.SENTINEL:
        found = {"connection_class": _NearSentinelConnection} if only_near else {}
        async with (
            _sentinels(place, options) as sentinels,
            _primary(sentinels, place, {**options, **found}) as primary,
        ):
            yield primary
    else:
        ((host, port),) = place.nodes
        async with _Redis(host=host, port=port, db=place.db, **_credentials(place.login), **options) as redis:
            yield redis


def _options(place: RedisUrl, tls: RedisTls) -> dict[str, Any]:
    """Return the options of every connection."""
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": RESPONSE_SECONDS,
        "health_check_interval": 30,
        "max_connections": _MAX_CONNECTIONS,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": True,
        # Another program's value may not be UTF-8; it must not raise here, and is rejected later as no value of Sellergate's.
        "encoding_errors": "replace",
        # Otherwise each connection starts with commands that older servers lack and that the services' users may not run.
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if place.tls:
        files = {"ssl_ca_certs": tls.ca_file, "ssl_certfile": tls.cert_file, "ssl_keyfile": tls.key_file}
        options |= {"ssl": True, **{name: str(file) for name, file in files.items() if file is not None}}
    return options


def _credentials(login: Login) -> dict[str, Any]:
    return {"username": login.user, "password": login.password.get_secret_value() if login.password else None}


@contextmanager
def _lost_connections() -> Iterator[None]:
    """Raise redis-py's ConnectionError for lost connections that redis-py does not recognize.

    uvloop raises RuntimeError ("the handler is closed") when a peer resets a connection that is being set up.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, (NotImplementedError, RecursionError)):
            raise
        raise RedisConnectionError("The connection to Redis was lost while it was set up.") from error


class _PubSub(PubSub):
    """A subscription whose commands and reads raise one of UNREACHABLE when the connection is lost."""

    async def execute_command(self, *args: Any) -> Any:
        with _lost_connections():
            return await super().execute_command(*args)

    async def parse_response(self, block: bool = True, timeout: float | None = 0) -> Any:  # noqa: ASYNC109  (as the library has it)
        with _lost_connections():
            return await super().parse_response(block, timeout)  # type: ignore[arg-type]

    async def aclose(self) -> None:
        with _lost_connections():
            await super().aclose()  # type: ignore[no-untyped-call]


class _Redis(Redis):
    """A client whose commands end within a second, including the connection and the query for the primary.

    For a second after a command timed out, further commands fail at once; the waits of a caller's commands would
    otherwise add up.
    """

    _silent_until = 0.0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if time.monotonic() < self._silent_until:
            raise RedisTimeoutError(
                "Redis did not respond a moment ago, so the command was not sent; retry in a second."
            )
        try:
            with span(f"redis {args[0]}"), _lost_connections():
                async with asyncio.timeout(RESPONSE_SECONDS):
                    return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # (the library's own)
        except (TimeoutError, RedisTimeoutError):
            self._silent_until = time.monotonic() + SILENT_SECONDS
            raise

    def pubsub(self, **options: Any) -> PubSub:
        """Return a subscription."""
        return _PubSub(self.connection_pool, **options)


def _check_near(host: str, port: int) -> None:
    """Raise ConnectionError for another machine, before anything is sent to it."""
    if not is_loopback(host):
        setting = "SELLERGATE_REDIS_ALLOW_PLAIN"
        get_logger().error("redis_without_tls", host=host, port=port, setting=setting)
        raise RedisConnectionError(
            f"No connection without TLS is made to Redis on another machine, {host}:{port}: REDIS_URL must begin with rediss;"
            f" {setting}=true allows a connection without TLS."
        )


class _NearConnection(Connection):
    """A connection without TLS to this machine."""

    async def _connect(self) -> None:
        _check_near(self.host, int(self.port))
        await super()._connect()  # type: ignore[no-untyped-call]  # (the library's own)


class _NearSentinelConnection(SentinelManagedConnection):
    """A connection without TLS to a primary on this machine, which a sentinel names."""

    async def _connect(self) -> None:
        _check_near(self.host, int(self.port))
        await super()._connect()  # type: ignore[no-untyped-call]  # (likewise)


def _sentinels(place: RedisUrl, options: dict[str, Any]) -> Sentinel:
    # Sentinels are queried one after the other: frozen ones must not use up a command's second.
    share = RESPONSE_SECONDS / (len(place.nodes) + 1)
    patience = {"socket_connect_timeout": share, "socket_timeout": share}
    kwargs = {**options, **_credentials(place.sentinel_login), **patience}
    return Sentinel(place.nodes, sentinel_kwargs=kwargs)  # type: ignore[no-untyped-call]  # (likewise)


def _primary(sentinels: Sentinel, place: RedisUrl, options: dict[str, Any]) -> Redis:
    login = _credentials(place.login)
    return cast("Redis", sentinels.master_for(place.name, redis_class=_Redis, db=place.db, **login, **options))


class _Cluster(RedisCluster):
    """A client of a cluster that always starts from the nodes in its URL, because discovered nodes may all be replaced."""

    def __init__(self, place: RedisUrl, options: dict[str, Any], *, only_near: bool) -> None:
        # A frozen node must be detected before the command's second ends, so that the topology is read again.
        patience = {"socket_connect_timeout": CONNECT_SECONDS / 2, "socket_timeout": RESPONSE_SECONDS / 2}
        super().__init__(
            startup_nodes=[ClusterNode(*node) for node in place.nodes],
            dynamic_startup_nodes=False,
            # Moved slots are followed one at a time; reading the whole topology again would interrupt running commands.
            reinitialize_steps=0,
            **_credentials(place.login),
            **{**options, **patience},
        )
        if only_near:
            # redis-py creates discovered nodes with these arguments, and accepts no connection class itself.
            self.connection_kwargs["connection_class"] = _NearConnection

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        with _lost_connections():
            return await self._execute(*args, **options)

    async def _execute(self, *args: Any, **options: Any) -> Any:
        async with asyncio.timeout(RESPONSE_SECONDS):
            # Before the initialization, redis-py sends a command to any node and a script to the wrong one.
            await self.initialize()
            return await super().execute_command(*args, **options)

    def scan_iter(self, *args: Any, **options: Any) -> Any:
        """Yield the keys of all present primaries, including new ones since the last error."""
        return self._scan(super().scan_iter(*args, **options))

    async def _scan(self, keys: AsyncIterator[Any]) -> AsyncIterator[Any]:
        with _lost_connections():
            async with asyncio.timeout(RESPONSE_SECONDS):
                await self.nodes_manager.initialize()
        async for key in keys:  # each step is a command, which translates its errors
            yield key

    def ping(self, **_: Any) -> Any:
        """Ping every primary: if one does not respond, a part of the keys is unavailable."""
        return self.execute_command("PING", target_nodes=self.PRIMARIES)

    def pubsub(self, **_: Any) -> PubSub:  # type: ignore[override]  # (not bound to the node that the library would choose)
        """Return a subscription at any node, because a cluster forwards published messages to all nodes."""
        return _PubSub(cast("ConnectionPool", _AnyNode(self)), encoder=self.encoder)


class _AnyNode:
    """A connection pool for subscriptions: each connection goes to a random node, so that a dead node is soon left."""

    def __init__(self, cluster: RedisCluster) -> None:
        self._cluster = cluster

    async def get_connection(self, *_: Any) -> AbstractConnection:
        async with asyncio.timeout(RESPONSE_SECONDS):
            await self._cluster.initialize()
            node = random.choice(self._cluster.get_nodes())  # noqa: S311  (any will do)
            connection = node.connection_class(**{**node.connection_kwargs, "retry": Retry(NoBackoff(), 0)})
            try:
                await connection.connect()  # type: ignore[no-untyped-call]  # (likewise)
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        await connection.disconnect(nowait=True)
