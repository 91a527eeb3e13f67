"""Decompression of a stream in pieces of bounded size, since a small document may decompress to a very large one."""

import zlib
from collections.abc import Iterator

PIECE_BYTES = 256 * 1024
_GZIP = 31
_MAGIC = b"\x1f\x8b"


class Gunzip:
    """A decompressor of gzip. Bytes that are not gzip pass unchanged, since a proxy may have decompressed them."""

    def __init__(self) -> None:
        self._unpacker: zlib._Decompress | None = None
        self._plain = False
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes of `data`. Raises zlib.error where gzip is followed by other bytes."""
        data, self._held = self._held + data, b""
        if self._unpacker is None and not self._plain:
            if len(data) < len(_MAGIC):
                self._held = data
                return
            self._plain = not data.startswith(_MAGIC)
        if self._plain:
            yield data
            return
        yield from self._unpack(data)

    def finish(self) -> Iterator[bytes]:
        """Yield the bytes that were held back. Raises zlib.error if the end is missing."""
        if self._unpacker is not None and not self._unpacker.eof:
            raise zlib.error("the end is missing")
        if self._held:
            yield self._held

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._unpacker is None or self._unpacker.eof:
                if not data:
                    return
                # A gzip file may have several members in a row (RFC 1952 §2.2).
                self._unpacker = zlib.decompressobj(_GZIP)
            piece = self._unpacker.decompress(data, PIECE_BYTES)
            if piece:
                yield piece
            data = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
            if not data and len(piece) < PIECE_BYTES:
                return
