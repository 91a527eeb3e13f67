"""Hedged calls of a service with several replicas: a call without a response in time is sent to another replica too.

gRPC's load balancing leaves calls at a hanging replica until its connection is found broken. Here each replica has its
own channel, so that the second attempt certainly goes to another one. Only for idempotent calls.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from sellergate_common.context import time_left
from sellergate_common.errors import OutOfTime, SellergateError
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import DEFAULT_SECONDS, invoke, is_transport_failure, open_channel
from sellergate_common.tasks import abandon

HEDGE_SECONDS = 1.0
RESOLVE_SECONDS = 30.0
_RESOLVE_TIMEOUT = 5.0

_Response = TypeVar("_Response")


class Replicas:
    """The replicas behind a target ("ipv4:a:1,b:2", "dns:///token:50052", "token:50052")."""

    def __init__(
        self,
        target: str,
        service: str,
        identity: Identity,
        contracts: Sequence[ServiceDescriptor],
        stack: AsyncExitStack,
    ) -> None:
        self._target = target
        self._service = service
        self._identity = identity
        self._contracts = contracts
        self._stack = stack
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._addresses: tuple[str, ...] = ()
        self._resolved = -RESOLVE_SECONDS
        self._next = 0

    async def call(
        self,
        method: str,
        request: Any,
        kind: type[_Response],
        seconds: float = DEFAULT_SECONDS,
        hedge_seconds: float = HEDGE_SECONDS,
    ) -> _Response:
        """Call a method ("/package.Service/Method") on a replica, and on the next one after a while or a broken connection.

        The first response is returned. Raises SellergateError: a service's error, or that of the last broken connection.
        """
        end = time.monotonic() + min(seconds, time_left(seconds))
        addresses = await self._in_turn()
        waiting: set[asyncio.Task[_Response]] = set()
        broken: SellergateError | None = None
        try:
            for address in addresses:
                waiting.add(asyncio.create_task(self._once(address, method, request, kind, end)))
                response, error, waiting = await _first(waiting, hedge_seconds if address != addresses[-1] else None)
                broken = error or broken
                if response is not None:
                    return response
            while waiting:
                response, error, waiting = await _first(waiting, None)
                broken = error or broken
                if response is not None:
                    return response
        finally:
            for task in waiting:
                abandon(task)
        self._resolved = -RESOLVE_SECONDS  # the addresses may have changed
        raise broken or OutOfTime(f"No replica of the {self._service} service responded; try again.")

    async def _once(self, address: str, method: str, request: Any, kind: type[_Response], end: float) -> _Response:
        call: grpc.aio.UnaryUnaryMultiCallable[Any, _Response] = self._channel(address).unary_unary(
            method,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=kind.FromString,  # type: ignore[attr-defined]
        )
        return await invoke(call, request, dependency=self._service, seconds=end - time.monotonic())

    def _channel(self, address: str) -> grpc.aio.Channel:
        if address not in self._channels:
            channel = open_channel(address, self._service, self._identity, self._contracts)
            self._stack.push_async_callback(channel.close)
            self._channels[address] = channel
        return self._channels[address]

    async def _in_turn(self) -> list[str]:
        """Return all addresses, starting with the next one at each call."""
        if time.monotonic() - self._resolved > RESOLVE_SECONDS or not self._addresses:
            self._addresses = await _resolve(self._target) or self._addresses or (self._target,)
            self._resolved = time.monotonic()
        self._next = (self._next + 1) % len(self._addresses)
        return [*self._addresses[self._next :], *self._addresses[: self._next]]


@asynccontextmanager
async def open_replicas(
    target: str, service: str, identity: Identity, contracts: Sequence[ServiceDescriptor]
) -> AsyncIterator[Replicas]:
    """Open channels to the replicas of a service; each is connected when it is first called."""
    async with AsyncExitStack() as stack:
        yield Replicas(target, service, identity, contracts, stack)


async def _first(
    waiting: "set[asyncio.Task[_Response]]", seconds: float | None
) -> "tuple[_Response | None, SellergateError | None, set[asyncio.Task[_Response]]]":
    """Wait for one response. Return it, or the error of a broken connection, and the tasks that have not ended."""
    done, pending = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    # Several tasks may end at once: each one's error is retrieved, even if another one's response is returned.
    errors = {task: error for task in done if (error := task.exception()) is not None}
    for task in done - errors.keys():
        return task.result(), None, pending
    broken = None
    for error in errors.values():
        if not isinstance(error, SellergateError) or not is_transport_failure(error):
            raise error
        broken = error
    return None, broken, pending


async def _resolve(target: str) -> tuple[str, ...]:
    """Return each address of a target as a gRPC target; none if the look-up fails."""
    scheme, _, rest = target.partition(":")
    if scheme in ("ipv4", "ipv6"):
        return tuple(f"{scheme}:{address}" for address in rest.split(","))
    if scheme in ("unix", "unix-abstract"):
        return (target,)
    name = target.removeprefix("dns:///").removeprefix("dns:")
    host, _, port = name.rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT):
            found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return ()
    families = {socket.AF_INET: "ipv4:{}:{}", socket.AF_INET6: "ipv6:[{}]:{}"}
    return tuple(
        sorted({families[family].format(*where[:2]) for family, _, _, _, where in found if family in families})
    )
