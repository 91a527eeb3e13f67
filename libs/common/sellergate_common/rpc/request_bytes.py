"""Bounds on the bytes of each method's requests before parsing: two bytes on the wire can become a hundred in memory.

A request may have the size that the rules of its `bytes` fields allow, and 1 MiB for all other fields. A message above
64 KiB is scanned before parsing: it may have a few long fields, but not thousands of empty ones.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from sellergate.common.v1 import rules_pb2

from sellergate_common.errors import InvalidRequest
from sellergate_common.rpc.channel import MAX_MESSAGE_BYTES

REST_BYTES = 1024 * 1024
"""The most bytes of all fields of a request except its bodies."""
LOOKED_AT_BYTES = 64 * 1024
MOST_FIELDS = 20_000
LEAST_MESSAGE_BYTES = 8 * 1024 * 1024
"""The message size that every server receives, so that the error for a slightly too long request names its field."""
_MOST_DEPTH, _FIRST_FIELDS = 32, 8
_VARINT, _FIXED64, _LENGTH, _GROUP, _GROUP_END, _FIXED32 = range(6)


class RequestParser:
    """A parser of one method's requests ("package.Service/Method"). Raises InvalidRequest that names a field."""

    def __init__(self, method: str, parse: Callable[[bytes], Message]) -> None:
        self._parse = parse
        self._descriptor = _request_of(method)
        self.most = REST_BYTES + sum(_bodies(self._descriptor, 0))

    def __call__(self, data: bytes) -> Message:
        """Return the message that the bytes encode."""
        if len(data) > LOOKED_AT_BYTES:
            self._check(data)
        try:
            return self._parse(data)
        except (DecodeError, ValueError):
            raise InvalidRequest(
                "The request is not a message of this method; send the message type that the contract names."
            ) from None

    def _check(self, data: bytes) -> None:
        fields = _Fields(self._descriptor)
        if len(data) > self.most:
            name = fields.largest(data)
            raise InvalidRequest.of_field(
                name, f"makes the request {len(data)} bytes long; at most {self.most} are allowed"
            )
        crowded = fields.crowded(data)
        if crowded:
            raise InvalidRequest.of_field(
                crowded, f"is in a request of more than {MOST_FIELDS} fields and {LOOKED_AT_BYTES} bytes; send fewer"
            )


def text_on_wire(data: bytes, number: int) -> str:
    """Return the text of a field among the first ones of a message that could not be parsed; empty where it is not found."""
    for found, start, end in islice(_wire(memoryview(data)), _FIRST_FIELDS):
        if found == number:
            return data[start:end].decode("utf-8", "replace")
    return ""


def longest_message(services: Iterable[str]) -> int:
    """Return the size in bytes of the longest message that a server of these services ("package.Service") must receive."""
    found: Any = [descriptor_pool.Default().FindServiceByName(name) for name in services]
    bodies = [sum(_bodies(method.input_type, 0)) for service in found for method in service.methods]
    return min(MAX_MESSAGE_BYTES, max(LEAST_MESSAGE_BYTES, REST_BYTES + max(bodies, default=0)))


class _Fields:
    """The fields of an encoded message, up to the first malformed one, which parsing will report."""

    def __init__(self, descriptor: Descriptor | None) -> None:
        self._descriptor = descriptor
        self._left = MOST_FIELDS

    def largest(self, data: bytes) -> str:
        """Return the name of the longest field among the first few hundred."""
        sizes = {"request": 0}
        for count, (number, start, end) in enumerate(_wire(memoryview(data))):
            field = self._descriptor.fields_by_number.get(number) if self._descriptor else None
            name = field.name if field else "request"
            sizes[name] = sizes.get(name, 0) + end - start
            if count > MOST_FIELDS:
                break
        return max(sizes, key=lambda name: sizes[name])

    def crowded(self, data: bytes) -> str:
        """Return the name of the field at which the number of fields exceeds the bound; empty if it does not."""
        return self._crowded(memoryview(data), self._descriptor, "", 0)

    def _crowded(self, data: memoryview, descriptor: Descriptor | None, path: str, depth: int) -> str:
        for number, start, end in _wire(data):
            field = descriptor.fields_by_number.get(number) if descriptor else None
            name = path + (field.name if field else "request")
            self._left -= 1
            if self._left < 0:
                return name
            if field is not None and field.message_type is not None and depth < _MOST_DEPTH:
                found = self._crowded(data[start:end], field.message_type, f"{name}.", depth + 1)
                if found:
                    return found
        return ""


def _wire(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield the number, start and end of each field's value (Protocol Buffers, "Encoding")."""
    at, size = 0, len(data)
    while at < size:
        tag, at = _varint(data, at)
        kind, start = tag & 7, at
        if kind == _LENGTH:
            length, start = _varint(data, at)
            at = start + length
        elif kind == _VARINT:
            _, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind not in (_GROUP, _GROUP_END):
            return
        if at > size:
            return
        yield tag >> 3, start, at


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number of at most ten bytes and its end; a longer one ends the data."""
    value = shift = 0
    for place in range(at, min(at + 10, len(data))):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  (the bit that says that more bytes follow)
            return value, place + 1
        shift += 7
    return 0, len(data) + 1


def _request_of(method: str) -> Descriptor | None:
    try:
        found: Any = descriptor_pool.Default().FindMethodByName(method.replace("/", "."))
    except KeyError:
        return None
    request: Descriptor = found.input_type
    return request


def _bodies(descriptor: Descriptor | None, depth: int) -> Iterator[int]:
    """Yield the size limits of the `bytes` fields of a message and its submessages."""
    for field in descriptor.fields if descriptor and depth < _MOST_DEPTH else ():
        if field.type == FieldDescriptor.TYPE_BYTES:
            yield field.GetOptions().Extensions[rules_pb2.rules].max_bytes or MAX_MESSAGE_BYTES
        elif field.message_type is not None and not field.is_repeated:
            yield from _bodies(field.message_type, depth + 1)
