"""Inputs of RPCs: every method of every contract, as every identity, with requests from well-formed to noise."""

import importlib
import pkgutil
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sellergate
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message

from tests.fuzz import values, wire
from tests.fuzz.messages import Generator, Known

IDENTITIES = ("edge", "gateway", "token", "iam", "account", "client/demo", "operator", "stranger")
MOST_SENT = 4
"""The most messages of one stream."""
MOST_BYTES = 2 * 1024 * 1024
"""The most bytes of a message: larger ones are rare and slow, and gRPC accepts none above 16 MiB."""
_SECONDS = (0.0, 0.001, 0.02, 0.2, 1.0, 5.0, 20.0, 20.0, 20.0, 20.0, None)


@dataclass(frozen=True)
class Input:
    """One call: an RPC ("package.Service/Method"), its caller, and its messages; bytes are in hex.

    `seconds` is the caller's deadline; None without one.
    """

    rpc: str
    identity: str
    messages: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...] = ()
    seconds: float | None = 20.0

    def as_json(self) -> dict[str, Any]:
        """Return the input as a line of the corpus."""
        return asdict(self)

    @classmethod
    def of_json(cls, row: dict[str, Any]) -> "Input":
        """Return the input of a line of the corpus."""
        metadata = tuple((name, value) for name, value in row.get("metadata", ()))
        return cls(row["rpc"], row["identity"], tuple(row["messages"]), metadata, row.get("seconds", 20.0))


def methods() -> dict[str, MethodDescriptor]:
    """Return every method of every contract, by "package.Service/Method"."""
    found: dict[str, MethodDescriptor] = {}
    for module in pkgutil.walk_packages(sellergate.__path__, "sellergate."):
        if module.name.endswith("_pb2"):
            contract = importlib.import_module(module.name).DESCRIPTOR
            for service in contract.services_by_name.values():
                found |= {f"{service.full_name}/{method.name}": method for method in service.methods}
    return dict(sorted(found.items()))


def server_of(rpc: str) -> str:
    """Return the service whose process serves an RPC."""
    return rpc.split(".")[1]


class Inputs:
    """A generator of inputs. It finds out the permitted identities of an RPC from responses."""

    def __init__(self, rng: random.Random, known: Known, users: tuple[str, ...]) -> None:
        self.methods = methods()
        self._rng = rng
        self._known = known
        self._users = users
        self._messages = Generator(rng, known)
        self._let_in: dict[str, set[str]] = {rpc: set() for rpc in self.methods}

    def endless(self) -> Iterator[Input]:
        """Yield inputs, equally many for every RPC."""
        while True:
            for rpc in self._rng.sample(list(self.methods), len(self.methods)):
                yield self.one(rpc)

    def one(self, rpc: str) -> Input:
        """Return an input of an RPC."""
        method, rng = self.methods[rpc], self._rng
        let_in = sorted(self._let_in[rpc])
        identity = rng.choice(let_in) if let_in and rng.random() < 0.85 else rng.choice(IDENTITIES)
        count = rng.choice((1, 1, 2, MOST_SENT, 0)) if method.client_streaming else 1
        sent = tuple(self._bytes(method.input_type).hex() for _ in range(count))
        return Input(rpc, identity, sent, tuple(self._metadata(identity)), rng.choice(_SECONDS))

    def learn(self, given: Input, reason: str, responses: list[bytes]) -> None:
        """Record permitted identities and IDs of a response."""
        if reason not in ("CALLER_NOT_ALLOWED", "CALLER_UNAUTHENTICATED", "DEADLINE_EXCEEDED"):
            self._let_in[given.rpc].add(given.identity)
        for response in responses[:3]:
            self._known.learn(parsed(self.methods[given.rpc].output_type, response))

    def _bytes(self, descriptor: Descriptor) -> bytes:
        data = bytes(self._messages.message(descriptor).SerializeToString())
        while len(data) > MOST_BYTES:
            data = self._messages.message(descriptor).SerializeToString()
        return wire.damaged(data, self._rng) if self._rng.random() < 0.15 else data

    def _metadata(self, identity: str) -> Iterator[tuple[str, str]]:
        rng = self._rng
        if rng.random() < (0.95 if identity == "edge" else 0.05):
            yield "on_behalf_of", rng.choice(self._users)
        if rng.random() < 0.03:
            yield "on_behalf_of-bin", rng.choice((b"\xff\xfe", "é\u202e".encode(), b"", b"u" * 200)).hex()
        if rng.random() < 0.05:
            name = rng.choice(
                ("on_behalf_of", "x-request-id", "traceparent", "grpc-trace-bin", "x-sellergate-begun", "te")
            )
            text = "".join(filter(str.isascii, values.hostile(rng)))[:5_000]
            plain = "".join(filter(str.isprintable, text)).strip()
            yield name, (text.encode().hex() if name.endswith("-bin") else plain)


def parsed(descriptor: Descriptor, data: bytes) -> Message:
    """Return the message that the bytes encode; an empty one for invalid bytes."""
    message = message_factory.GetMessageClass(descriptor)()
    try:
        message.ParseFromString(data)
    except DecodeError:
        message.Clear()
    return message
