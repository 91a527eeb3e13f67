"""Damaged bytes of messages: truncated, of other wire types, with repeated, nested or unknown fields."""

import random

_VARINTS = (b"\xff" * 9 + b"\x01", b"\xff" * 11, b"\x80\x80\x80\x80\x00", b"\x00", b"\xff\xff\xff\xff\x0f")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes of a message with one to three faults."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(_FAULTS)(data, rng)
    return data


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8)) if data else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _retyped(data: bytes, rng: random.Random) -> bytes:
    """Change the wire type of the first field."""
    return bytes([(data[0] & 0xF8) | rng.randrange(8)]) + data[1:] if data else b"\x07"


def _repeated(data: bytes, rng: random.Random) -> bytes:
    """Send all fields several times: the last one counts, messages are merged, lists grow."""
    return data * rng.choice((2, 3, min(1000, 200_000 // (len(data) + 1)) + 1))


def _inserted(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice((*_VARINTS, b"\xff", rng.randbytes(4))) + data[place:]


def _unknown(data: bytes, rng: random.Random) -> bytes:
    """Add a field that no message has."""
    return data + b"\xfa\x3f" + bytes([rng.choice((0, 1, 5, 120))]) + rng.randbytes(5)


def _nested(data: bytes, rng: random.Random) -> bytes:
    """Nest groups or messages deeper than a parser's limit."""
    if rng.random() < 0.5:
        return data + b"\x0b" * rng.choice((10, 101, 5_000))
    inner = data[:40]
    for _ in range(rng.choice((5, 60))):
        inner = b"\x0a" + _length(len(inner)) + inner
    return inner


def _noise(_data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 3, 20, 500)))


def _length(size: int) -> bytes:
    encoded = bytearray()
    while size > 127:
        encoded.append(size & 127 | 128)
        size >>= 7
    return bytes([*encoded, size])


_FAULTS = (_cut, _flipped, _retyped, _repeated, _inserted, _unknown, _nested, _noise)
