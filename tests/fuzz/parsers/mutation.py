"""Mutations of inputs that follow from a seed, for machines without atheris and for the slice of `make test`."""

import random
from collections.abc import Callable, Iterator, Sequence

from tests.fuzz.parsers.target import CANARY, MOST_BYTES
from tests.fuzz.values import HOSTILE

# Pieces on which parsers of JSON, times, headers, tokens and compressed bytes fail.
WORDS: tuple[bytes, ...] = (
    *(b"null", b"true", b"NaN", b"Infinity", b"-1", b"0", b"1e999", b"1" * 400, b"1" * 5000, b"{}", b"[]", b'""'),
    *(b"[" * 60, b"[" * 3000, b'{"a":' * 80, b'{"a":' * 2000, b"\\ud800", b"\\u0000", b"\xed\xa0\x80", b"\xff\xfe"),
    *(b"\x1f\x8b\x08", b"\x00", b"\n", b"\r\n", b"\t", b":", b".", b"..", b"=", b",", b'"', b"--", b"%00", b"%"),
    *(b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00+23:59", b"2026-02-30", b"24:00"),
    *(b"Thu, 26 Nov 2026 10:00:00 GMT", b"--jan 1 2:2 x", b"gzip", b"deflate", b"hex", b"zlib", b"utf-16", b"idna"),
    *(b"eyJhbGciOiJub25lIn0.", b"kms:", b"Bearer ", CANARY.encode()),
    *(text.encode("utf-8", "surrogatepass")[:400] for text in HOSTILE),
)


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(b'\x00\xff{}[]":,.-0 \n%=' + rng.randbytes(1))


def _insert(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.choice(WORDS)


def _replace(data: bytearray, rng: random.Random) -> None:
    """Replace a word between two marks, as a value of JSON is, by another."""
    begin = _place(data, rng)
    end = next((at for at in range(begin, len(data)) if data[at] in b'",:}]\n&. '), len(data))
    data[begin:end] = rng.choice(WORDS)


def _cut(data: bytearray, rng: random.Random) -> None:
    begin, end = sorted((_place(data, rng), _place(data, rng)))
    del data[begin:end]


def _repeat(data: bytearray, rng: random.Random) -> None:
    begin, end = sorted((_place(data, rng), _place(data, rng)))
    data[end:end] = data[begin:end] * rng.choice((1, 1, 2, 30))


_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _set, _insert, _replace, _cut, _repeat)


def mutations(seeds: Sequence[bytes], rng: random.Random) -> Iterator[bytes]:
    """Yield inputs without end: a seed, or the beginning of one with the end of another, after a few changes."""
    while True:
        data = bytearray(rng.choice(seeds))
        if rng.random() < 0.1:
            other = rng.choice(seeds)
            data = data[: _place(data, rng)] + other[rng.randrange(len(other) + 1) :]
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            rng.choice(_MUTATIONS)(data, rng)
        yield bytes(data[:MOST_BYTES])
