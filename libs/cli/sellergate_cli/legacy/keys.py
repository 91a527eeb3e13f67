"""The former system's AES-256 key: its 32 bytes in any form, or the passphrase from which it is derived."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from pydantic import SecretBytes, SecretStr

from sellergate_cli.operator import SentenceError

KEY_BYTES = 32
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_SCRYPT = "scrypt:"
# Node's defaults of crypto.scryptSync.
_SCRYPT_COST, _SCRYPT_BLOCKS, _SCRYPT_LANES = 16384, 8, 1
HOW_TO = (
    "name how the former system makes its key from a passphrase: --key-from sha256, --key-from scrypt:SALT or"
    " --key-from pad"
)


@dataclass(frozen=True, slots=True)
class LegacyKey:
    """An AES-256 key, and the form in which the operator gave it."""

    value: SecretBytes
    form: str


def is_key_from(text: str) -> bool:
    """Return whether a text names a supported key derivation."""
    return text in ("sha256", "pad") or (text.startswith(_SCRYPT) and text != _SCRYPT)


def parse_key(given: SecretStr, key_from: str | None = None) -> LegacyKey:
    """Read 32 bytes as hex, as base64 (either alphabet) or literally, or derive them from a passphrase. Raises SentenceError."""
    text = given.get_secret_value().strip("\r\n")
    if key_from is not None:
        return _made(text, key_from)
    if _HEX_KEY.fullmatch(text.strip()):
        return LegacyKey(SecretBytes(bytes.fromhex(text.strip())), "64 hex digits")
    unpadded = text.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) == KEY_BYTES:
        return LegacyKey(SecretBytes(key), "base64")
    key = text.encode("utf-8", "surrogateescape")
    if len(key) != KEY_BYTES:
        raise SentenceError(
            "The key must be 32 bytes, as 64 hex digits, as base64 or as they are; what was given has"
            f" {len(text)} characters. If it is a passphrase, {HOW_TO}."
        )
    return LegacyKey(SecretBytes(key), "32 characters")


def _made(passphrase: str, key_from: str) -> LegacyKey:
    """Derive a key from a passphrase as Node's crypto module does. Raises SentenceError."""
    octets = passphrase.encode("utf-8", "surrogateescape")
    if not octets:
        raise SentenceError("The passphrase is empty. Set SELLERGATE_LEGACY_KEY or --key-file to it.")
    if key_from == "sha256":
        return LegacyKey(SecretBytes(hashlib.sha256(octets).digest()), "SHA-256 of a passphrase")
    if key_from == "pad":
        return LegacyKey(SecretBytes(_pad(passphrase)), "passphrase padded with 0 to 32 characters")
    salt = key_from.removeprefix(_SCRYPT).encode("utf-8", "surrogateescape")
    key = hashlib.scrypt(
        octets, salt=salt, n=_SCRYPT_COST, r=_SCRYPT_BLOCKS, p=_SCRYPT_LANES, dklen=KEY_BYTES, maxmem=2**26
    )
    return LegacyKey(SecretBytes(key), "scrypt of a passphrase")


def _pad(passphrase: str) -> bytes:
    """Return `passphrase.padEnd(32, '0').slice(0, 32)`, which Node accepts as a key only if it has 32 bytes."""
    units = passphrase.encode("utf-16-le", "surrogatepass")[: 2 * KEY_BYTES].decode("utf-16-le", "replace")
    length = len(units.encode("utf-16-le")) // 2
    key = (units + "0" * (KEY_BYTES - length)).encode()
    if len(key) != KEY_BYTES:
        raise SentenceError(
            "The passphrase has characters outside of ASCII, and padded to 32 characters it is not 32 bytes; the former"
            " system cannot have used it so. Choose another --key-from."
        )
    return key
