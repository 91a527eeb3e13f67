"""gRPC between nodes: channels and servers in place of grpc.aio's, with the real layers and messages on both sides."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Self

import grpc
from google.protobuf.descriptor_pb2 import MethodOptions
from sellergate_common.context import HOP_SECONDS
from sellergate_common.identity.policy import SPIFFE_PREFIX, Access
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.interceptors import InterceptedServer, Interceptors
from sellergate_common.status import DETAILS_KEY

from simulation.history import History
from simulation.world.loop import NODE, Handle, Node, later_on, now, start_on
from simulation.world.network import Network

# What gRPC's service config of `channel` sets: attempts of idempotent methods, and the first pause between them.
ATTEMPTS, FIRST_PAUSE = 3, 0.05
# The seconds after its deadline within which a handler must have ended.
ENDS_WITHIN = 1.5
_RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_GENERATED = "_pb2_grpc"


@lru_cache
def _parts(target: str) -> tuple[str, str]:
    """Return the name of a service, and the number of a replica of it ("": any)."""
    service, _, number = target.partition("-")
    return service, number


@lru_cache
def _certificate(identity: str) -> dict[str, list[bytes]]:
    """Return what a certificate shows of its identity."""
    return {"peer_uri": [(SPIFFE_PREFIX + identity).encode()]}


class Switchboard:
    """The servers of all nodes by the name of their service ("token")."""

    def __init__(self, network: Network, history: History) -> None:
        self.network = network
        self.history = history
        self.servers: dict[str, dict[str, Server]] = {}
        self.duplicates = 0.0
        self.on_reply: Callable[[Node, str, bytes], None] = lambda *_: None
        """Sees each response that a client receives: its node, the method and the message."""
        self.slow_service = ""
        self.slowest_reply = 0.0
        """The longest time in seconds by which half of the replies of `slow_service` are late at present."""
        self.late_method, self.late_by = "", 0.0
        """The path of a method, and the seconds by which all of its replies are late at present."""

    def of(self, target: str) -> "list[Server]":
        """Return the servers behind a target: "token", or one replica of it, "token-1"."""
        service, number = _parts(target)
        return [one for name, one in self.servers.get(service, {}).items() if not number or name == target]

    def remove(self, node: Node) -> None:
        """End the connections of a server that stops or is killed: calls in progress fail, and those on their way to it."""
        server = self.servers.get(node.name.partition("-")[0], {}).pop(node.name, None)
        for call in [*server.calls, *server.on_their_way] if server else ():
            call.lose()


class Server:
    """The server of one node, with the layers that every service has."""

    def __init__(self, switchboard: Switchboard, node: Node) -> None:
        self.node = node
        self.calls: dict[_Call, None] = {}
        self.on_their_way: dict[_Call, None] = {}
        """The calls that have not arrived, of which only the network knows."""
        self.is_draining = False
        self._switchboard = switchboard
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._found: dict[str, Any] = {}

    def serve(
        self,
        service: str,
        servicers: Sequence[object],
        access: Access,
        admission: Admission | None = None,
        polls: frozenset[str] = frozenset(),
    ) -> None:
        """Serve the servicers, as `run_server` does."""
        layered: Any = InterceptedServer(self, Interceptors(service, access, RpcMetrics(), admission, polls))  # type: ignore[arg-type]
        for servicer in servicers:
            base = next(kind for kind in type(servicer).__mro__ if kind.__module__.endswith(_GENERATED))
            getattr(sys.modules[base.__module__], f"add_{base.__name__}_to_server")(servicer, layered)
        self._switchboard.servers.setdefault(service, {})[self.node.name] = self

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Register handlers."""
        self._handlers += handlers

    def handler(self, method: str) -> Any:
        """Return the handler of a method."""
        found = self._found.get(method)
        if found is None:
            details = _Details(method)
            found = next(one for handler in self._handlers if (one := handler.service(details)) is not None)
            self._found[method] = found
        return found


@dataclass(slots=True)
class _Details:
    method: str
    invocation_metadata: tuple[()] = ()


class _Context:
    """What a handler and the layers see of a call."""

    def __init__(self, call: "_Call", metadata: Any, ends: float | None) -> None:
        self._call = call
        self._metadata = metadata
        self._ends = ends

    def invocation_metadata(self) -> Any:
        return self._metadata

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        return _certificate(self._call.identity)

    def time_remaining(self) -> float | None:
        return None if self._ends is None else self._ends - now()

    async def send_initial_metadata(self, metadata: Any) -> None:
        self._call.send_back(lambda: setattr(self._call, "initial", tuple(metadata)))

    async def abort(self, code: Any, details: str = "", trailing: Any = ()) -> None:
        self._call.status = (code, details, tuple(trailing))
        raise grpc.aio.AbortError


class _Call:
    """One attempt of one call between two nodes."""

    def __init__(self, switchboard: Switchboard, client: Node, server: Server, identity: str) -> None:
        self.identity = identity
        self.status: tuple[Any, str, tuple[Any, ...]] | None = None
        self.initial: tuple[Any, ...] = ()
        self.result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._switchboard = switchboard
        self._client = client
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self._timer: Handle | None = None
        self._lost = False

    def fail(self, code: grpc.StatusCode, details: str, trailing: Any = ()) -> None:
        """End the call at the client with a status."""
        if not self.result.done():
            self.result.set_exception(
                grpc.aio.AioRpcError(code, grpc.aio.Metadata(*self.initial), grpc.aio.Metadata(*trailing), details)
            )
            self.result.exception()

    def lose(self) -> None:
        """Lose the connection: the handler is cancelled, and the client learns of it by a message."""
        if not self._lost:
            self._lost = True
            self._server.calls.pop(self, None)
            self._server.on_their_way.pop(self, None)
            self.cancel_handler()
            network, status = self._switchboard.network, (grpc.StatusCode.UNAVAILABLE, "the connection was lost")
            network.send(self._server.node, self._client, self.fail, *status)

    def cancel_handler(self) -> None:
        """Cancel the handler as a part of its node, as grpc.aio does for a call that ended at the client."""
        if self._task is not None and not self._task.done():
            later_on(self._server.node, 0.0, self._task.cancel)

    def send_back(self, deliver: Callable[[], Any], seconds: float = 0.0) -> None:
        """Send a part of the response after some seconds."""
        switchboard, network, node = self._switchboard, self._switchboard.network, self._server.node
        if self._lost:
            return
        late = (
            not seconds
            and switchboard.slowest_reply
            and node.name.startswith(switchboard.slow_service)
            and network.draw() < 0.5
        )
        if network.breaks():
            self.lose()
        elif late or seconds:
            seconds = seconds or switchboard.slowest_reply * network.draw()
            later_on(self._client, seconds, network.send, node, self._client, lambda: self._lost or deliver())
        else:
            network.send(node, self._client, lambda: self._lost or deliver())

    def send(self, method: str, data: bytes, timeout: float | None, metadata: Any) -> None:
        """Send the request; a server that ends before it arrives loses it with the connection."""
        self._server.on_their_way[self] = None
        self._switchboard.network.send(self._client, self._server.node, self.arrive, method, data, timeout, metadata)

    def arrive(self, method: str, data: bytes, timeout: float | None, metadata: Any) -> None:
        """Begin the handler at the server."""
        self._server.on_their_way.pop(self, None)
        if self._lost or self.result.done():
            return
        ends = None if timeout is None else now() + timeout
        self._server.calls[self] = None
        self._task = start_on(self._server.node, self._handle(method, data, _Context(self, metadata, ends)), method)
        if timeout is not None:
            self._timer = later_on(self._server.node, timeout, self._expire, method, self._task)

    def _expire(self, method: str, task: "asyncio.Task[None]") -> None:
        """Cancel the handler at its deadline, which a process that was frozen notices late."""
        task.cancel()
        self._timer = later_on(self._server.node, ENDS_WITHIN, self._check_end, method, task)

    def _check_end(self, method: str, task: "asyncio.Task[None]") -> None:
        if not task.done():
            words = f"{method} of {self._server.node} runs {ENDS_WITHIN} s after its deadline"
            self._switchboard.history.violate("deadline", words)

    async def _handle(self, method: str, data: bytes, context: _Context) -> None:
        handler = self._server.handler(method)
        try:
            message = await handler.unary_unary(data, context)
        except grpc.aio.AbortError:
            status = self.status or (grpc.StatusCode.UNKNOWN, "", ())
            self.send_back(lambda: self.fail(*status))
        except asyncio.CancelledError:
            self.send_back(lambda: self.fail(grpc.StatusCode.CANCELLED, "cancelled by the server"))
            raise
        else:
            late = self._switchboard.late_by if method == self._switchboard.late_method else 0.0
            self.send_back(partial(self._respond, method, handler.response_serializer(message)), late)
        finally:
            self._server.calls.pop(self, None)
            if self._timer is not None:
                self._timer.cancel()

    def _respond(self, method: str, response: bytes) -> None:
        if not self.result.done():
            self.result.set_result(response)
            self._switchboard.on_reply(self._client, method, response)


@lru_cache
def _idempotent_methods(contract: Any) -> frozenset[str]:
    """Return the paths of a service's methods that may be repeated."""
    return frozenset(
        f"/{contract.full_name}/{method.name}"
        for method in contract.methods
        if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    )


class Channel:
    """A channel of a node to a service, in place of grpc.aio.Channel."""

    def __init__(self, switchboard: Switchboard, target: str, identity: str, contracts: Sequence[Any]) -> None:
        self.target = target
        self._switchboard = switchboard
        self._node = NODE.get()
        self._identity = identity
        self._turn = len(self._node.name)
        self._idempotent = frozenset().union(*map(_idempotent_methods, contracts))

    def unary_unary(self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any) -> Any:
        """Return a function that calls a method."""

        async def call(request: Any, timeout: float | None = None, metadata: Any = None, **_: Any) -> Any:  # noqa: ASYNC109
            data = request_serializer(request)
            return response_deserializer(await self._call(method, data, timeout, tuple(metadata or ())))

        return call

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Any:
        """Return a function that refuses to call: the simulation has only unary calls."""

        def call(*_: Any, **__: Any) -> Any:
            raise NotImplementedError(method)

        return call

    stream_unary = stream_stream = unary_stream

    async def _call(self, method: str, data: bytes, timeout: float | None, metadata: Any) -> bytes:  # noqa: ASYNC109
        ends = None if timeout is None else now() + timeout
        for attempt in range(1, ATTEMPTS + 1):
            left = None if ends is None else ends - now()
            try:
                return await self._attempt(method, data, left, metadata)
            except grpc.aio.AioRpcError as error:
                own = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
                if own or error.code() not in _RETRYABLE or method not in self._idempotent or attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(FIRST_PAUSE * 3 ** (attempt - 1))
        raise AssertionError

    async def _attempt(self, method: str, data: bytes, timeout: float | None, metadata: Any) -> bytes:  # noqa: ASYNC109
        switchboard, network = self._switchboard, self._switchboard.network
        servers = [one for one in switchboard.of(self.target) if not one.is_draining]
        self._turn += 1
        if not servers or (timeout is not None and timeout <= 0):
            await asyncio.sleep(0.001)
            code = grpc.StatusCode.DEADLINE_EXCEEDED if servers else grpc.StatusCode.UNAVAILABLE
            raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "no connection")
        server = servers[self._turn % len(servers)]
        calls = [_Call(switchboard, self._node, server, self._identity)]
        call = calls[0]
        if network.breaks():
            later_on(self._node, 0.001, call.lose)
        else:
            call.send(method, data, timeout, metadata)
            if (
                method in self._idempotent
                and switchboard.duplicates
                and network.delay() < switchboard.duplicates * 0.002
            ):
                again = _Call(switchboard, self._node, server, self._identity)
                calls.append(again)
                again.send(method, data, timeout, metadata)
        timer = None
        if timeout is not None:
            words = "the deadline passed"
            timer = later_on(self._node, timeout, call.fail, grpc.StatusCode.DEADLINE_EXCEEDED, words)
        try:
            return await call.result
        finally:
            if timer is not None:
                timer.cancel()
            for one in calls:
                if one.result.cancelled() or (one.result.done() and one.result.exception() is not None):
                    network.send(self._node, server.node, one.cancel_handler)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: ARG002
        """Return whether a server can be reached."""
        reachable = [one for one in self._switchboard.of(self.target) if not one.is_draining]
        return grpc.ChannelConnectivity.READY if reachable else grpc.ChannelConnectivity.TRANSIENT_FAILURE

    async def wait_for_state_change(self, state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another one."""
        while self.get_state() is state:
            await asyncio.sleep(0.05)

    async def close(self, grace: float | None = None) -> None:
        """Do nothing: a channel holds nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""


def client_timeout(seconds: float) -> float:
    """Return the deadline of a handler for a client's deadline of `seconds`."""
    return seconds - HOP_SECONDS
