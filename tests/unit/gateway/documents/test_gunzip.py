"""The decompression of a gzip stream."""

import gzip
import os
import zlib

import pytest
from sellergate_gateway.documents.gunzip import PIECE_BYTES, Gunzip


def through(data: bytes, size: int) -> list[bytes]:
    unpack = Gunzip()
    pieces = [piece for start in range(0, len(data), size) for piece in unpack.feed(data[start : start + size])]
    return pieces + list(unpack.finish())


TEXTS = [b"", b"a", b"row\t1\r\n" * 200_000, os.urandom(300_000), bytes(30_000_000)]


@pytest.mark.parametrize("text", TEXTS, ids=len)
@pytest.mark.parametrize("size", [1_000, 65_536, 100_000_000])
def test_decompressed_pieces_are_of_bounded_size(text: bytes, size: int) -> None:
    pieces = through(gzip.compress(text, 1), size)
    assert b"".join(pieces) == text
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)


def test_single_bytes_and_several_members_are_decompressed() -> None:
    packed = gzip.compress(b"first ") + gzip.compress(b"second")
    assert b"".join(through(packed, 1)) == b"first second"


@pytest.mark.parametrize("text", [b"x", b"plain text", b"\x1f"])
def test_bytes_that_are_not_gzip_pass_unchanged(text: bytes) -> None:
    assert b"".join(through(text, 1)) == text


def test_a_missing_end_and_invalid_bytes_are_errors() -> None:
    packed = gzip.compress(os.urandom(100_000))
    with pytest.raises(zlib.error):
        through(packed[:-9], 1_000)
    with pytest.raises(zlib.error):
        through(packed[:50_000] + b"rubbish" + packed[50_000:], 1_000)
