"""Opens what the former system encrypted: AES-256-CBC, `ivhex:cipherhex`, PKCS7 padding."""

import base64
import binascii
import re

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from pydantic import SecretBytes, SecretStr

from sellergate_cli.legacy.notes import Refused
from sellergate_cli.operator import SentenceError

KEY_BYTES = 32
TRIED = 100
"""So many fields that do not decrypt, and not one that does: then it is the key."""
_BLOCK_BYTES = 16
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_SHAPE = re.compile(r"([0-9a-fA-F]*):([0-9a-fA-F]+)")
# Nothing that the account service takes is longer than 2,048 characters.
_LONGEST = 40_000


def parse_key(given: SecretStr) -> SecretBytes:
    """Read a key of 32 bytes given as hex, as base64 (either alphabet) or as itself. Raises SentenceError."""
    text = given.get_secret_value().strip("\r\n")
    if _HEX_KEY.fullmatch(text.strip()):
        return SecretBytes(bytes.fromhex(text.strip()))
    unpadded = text.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        key = text.encode("utf-8", "surrogateescape")
    if len(key) != KEY_BYTES:
        raise SentenceError(
            f"The key must be 32 bytes, as 64 hex digits, as base64 or as they are; what was given has {len(text)} characters."
        )
    return SecretBytes(key)


class LegacyCipher:
    """The former system's cipher under one key. It counts what opened, to tell a wrong key from broken rows."""

    def __init__(self, key: SecretBytes) -> None:
        self._key = key
        self._opened = 0
        self._closed = 0

    def open(self, encrypted: object, field: str) -> SecretStr:
        """Return the text behind `ivhex:cipherhex`. Raises Refused that names the field."""
        if encrypted is None:
            raise Refused(field, "is null")
        found = _SHAPE.fullmatch(encrypted) if isinstance(encrypted, str) and len(encrypted) <= _LONGEST else None
        if found is None:
            raise Refused(field, "is not an iv and a ciphertext in hex digits with a colon between them")
        if len(found[1]) != 2 * _BLOCK_BYTES:
            raise Refused(field, f"has an iv of {len(found[1])} hex digits and not {2 * _BLOCK_BYTES}")
        if len(found[2]) % (2 * _BLOCK_BYTES):
            raise Refused(field, f"has a ciphertext that is no multiple of {_BLOCK_BYTES} bytes")
        text = self._decrypted(bytes.fromhex(found[1]), bytes.fromhex(found[2]))
        if text is None:
            self._closed += 1
            raise Refused(field, "does not decrypt with this key")
        self._opened += 1
        if not text:
            raise Refused(field, "is empty once decrypted")
        return SecretStr(text)

    def check(self, enough: int = TRIED) -> None:
        """Raise SentenceError when `enough` fields did not decrypt and none did."""
        if not self._opened and self._closed >= enough:
            raise SentenceError(
                "Not one row decrypts with this key; it is probably the wrong one. Nothing was imported."
            )

    def _decrypted(self, iv: bytes, ciphertext: bytes) -> str | None:
        decryptor = Cipher(algorithms.AES(self._key.get_secret_value()), modes.CBC(iv)).decryptor()
        unpadder = PKCS7(8 * _BLOCK_BYTES).unpadder()
        try:
            padded = decryptor.update(ciphertext) + decryptor.finalize()
            return (unpadder.update(padded) + unpadder.finalize()).decode()
        except ValueError:  # bad padding, or bytes that are no text
            return None
