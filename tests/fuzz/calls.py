"""Calls of a running suite with generated inputs, and the judgement of each outcome."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from sellergate_common.rpc.channel import open_channel
from sellergate_common.tasks import is_cancelled
from sellergate_devstack.suite import Suite

from tests.fuzz.rpcs import Input, methods, parsed, server_of

DETAILS = "grpc-status-details-bin"
MARGIN_SECONDS = 20.0
"""The most seconds by which a call may exceed its deadline, on a busy machine too."""
STREAM_SECONDS = 3.0
"""The seconds after which the caller cancels an endless stream."""
UNARY_SECONDS = 30.0
"""The services' default deadline in seconds."""
# gRPC itself ends these calls before a service receives them.
_BY_TRANSPORT = frozenset({"DEADLINE_EXCEEDED", "CANCELLED"})
# The status of grpc.aio's client where a deadline passes, or a call is refused, while it writes.
_WHILE_WRITING = "Internal error from Core"
_RIGHT_UNKNOWN = frozenset({"OUTCOME_UNKNOWN", "AMAZON_OUTCOME_UNKNOWN"})


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call. `reason` is that of Sellergate's error; empty without one."""

    code: str
    reason: str
    seconds: float
    details: str = ""
    responses: tuple[bytes, ...] = ()

    def fault(self, given: Input, streams: bool) -> str:
        """Return the fault of the outcome; empty if there is none."""
        longest = STREAM_SECONDS if streams else UNARY_SECONDS if given.seconds is None else given.seconds
        if self.code == "STALLED" or self.seconds > longest + MARGIN_SECONDS:
            return f"did not end by its deadline: {self.seconds:.1f} s"
        if self.code == "INTERNAL" or self.reason == "INTERNAL":
            return f"INTERNAL: {self.details}"
        if self.code == "UNKNOWN" and self.reason not in _RIGHT_UNKNOWN:
            return f"UNKNOWN: {self.details}"
        if self.code != "OK" and not self.reason and self.code not in _BY_TRANSPORT:
            return f"{self.code} without ErrorInfo: {self.details}"
        if self.code == "DEADLINE_EXCEEDED" and not self.reason and longest >= UNARY_SECONDS and not streams:
            return "ended by its caller's deadline only"
        return ""


@dataclass
class Callers:
    """Channels of every identity to every service. `count`: outcomes by RPC and reason."""

    suite: Suite
    channels: dict[tuple[str, str], grpc.aio.Channel] = field(default_factory=dict)
    count: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self._methods = methods()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def send(self, given: Input) -> tuple[Outcome, str]:
        """Make a call; return its outcome and its fault."""
        method = self._methods[given.rpc]
        streams = method.client_streaming or method.server_streaming
        channel = await self._channel(server_of(given.rpc), given.identity)
        began = time.monotonic()
        limit = MARGIN_SECONDS * 2 + (UNARY_SECONDS if given.seconds is None else given.seconds)
        try:
            async with asyncio.timeout(limit):
                outcome = await _outcome(channel, given, method)
        except TimeoutError:
            outcome = Outcome("STALLED", "", time.monotonic() - began)
        self.count[given.rpc, outcome.reason or outcome.code] += 1
        return outcome, outcome.fault(given, streams) or fault_inside(method, outcome.responses)

    async def _channel(self, server: str, identity: str) -> grpc.aio.Channel:
        key = server, identity
        if key not in self.channels:
            channel = open_channel(self.suite.target(server), server, self.suite.identity(identity), [])
            self.channels[key] = await self._stack.enter_async_context(channel)
        return self.channels[key]


def fault_inside(method: MethodDescriptor, responses: Sequence[bytes]) -> str:
    """Return what is wrong with an error within a stream's responses, as of one call of many; empty: nothing."""
    if "error" not in method.output_type.fields_by_name:
        return ""
    for response in responses:
        message: Any = parsed(method.output_type, response)
        if message.HasField("error"):
            reason, name = _reason_in(message.error.details), grpc_code(message.error.code)
            if not reason or reason == "INTERNAL" or (name == "UNKNOWN" and reason not in _RIGHT_UNKNOWN):
                return f"{name} with reason {reason or 'none'} in a response: {message.error.message}"
    return ""


def grpc_code(number: int) -> str:
    """Return the name of a gRPC status code."""
    return next((code.name for code in grpc.StatusCode if code.value[0] == number), str(number))


async def _outcome(channel: grpc.aio.Channel, given: Input, method: MethodDescriptor) -> Outcome:
    messages = [bytes.fromhex(message) for message in given.messages]
    metadata = [(name, bytes.fromhex(value) if name.endswith("-bin") else value) for name, value in given.metadata]
    began, received = time.monotonic(), list[bytes]()
    path, sent = f"/{given.rpc}", {"timeout": given.seconds, "metadata": metadata}
    if method.client_streaming:
        call = channel.stream_stream(path)(_sent(messages), **sent)
    else:
        call = channel.unary_stream(path)(messages[0], **sent)
    try:
        async with asyncio.timeout(STREAM_SECONDS if method.client_streaming or method.server_streaming else None):
            async for response in call:
                received.append(response)
    except TimeoutError:
        call.cancel()
    except asyncio.CancelledError:
        # The outcome of a grpc.aio client whose stream was refused while it was sending.
        if is_cancelled():
            raise
        return Outcome("CANCELLED", "", time.monotonic() - began)
    except grpc.aio.AioRpcError as error:
        seconds, details = time.monotonic() - began, error.details() or ""
        if method.client_streaming and details == _WHILE_WRITING:
            return Outcome("CANCELLED", "", seconds, details)
        return Outcome(error.code().name, _reason(error.trailing_metadata() or ()), seconds, details)
    return Outcome("OK", "", time.monotonic() - began, "", tuple(received))


async def _sent(messages: Sequence[bytes]) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


def _reason(metadata: Any) -> str:
    """Return the reason in the ErrorInfo of a status; empty where there is none."""
    for key, value in metadata:
        if key == DETAILS:
            return _reason_in(Status.FromString(value).details)
    return ""


def _reason_in(details: Any) -> str:
    info = ErrorInfo()
    return next((info.reason for detail in details if detail.Unpack(info)), "")
