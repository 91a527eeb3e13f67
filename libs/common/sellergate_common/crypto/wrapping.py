"""Wrapped keys: AWS KMS encrypts a key, and `kms:<base64 of the ciphertext>` replaces it in a setting.

The encryption context binds a wrapped key to its use and ID, so that it can be decrypted only there. Other modules call
KMS: the account service decrypts keys, and the command line creates them.
"""

import base64
import binascii
from enum import StrEnum

from pydantic import SecretStr

from sellergate_common.crypto.sealing import parse_key, ring_entries, ring_key

SCHEME = "kms:"
# KMS accepts no longer ciphertext (API reference, Decrypt, CiphertextBlob).
_LONGEST = 6144


class SingleUse(StrEnum):
    """The purpose of a single key."""

    INDEX_KEY = "index-key"
    AUDIT_KEY = "audit-key"

    @property
    def in_words(self) -> str:
        """The key's name in a sentence."""
        return f"the {self.value.replace('-', ' ')}"


def ring_context(kid: str) -> dict[str, str]:
    """Return the encryption context of a line of the sealing keys' ring."""
    return {"sellergate": "sealing-keys", "kid": kid}


def single_context(use: SingleUse) -> dict[str, str]:
    """Return the encryption context of a single key."""
    return {"sellergate": use.value, "kid": "single"}


def wrapped(ciphertext: bytes) -> str:
    """Return a ciphertext of KMS in the form of a setting."""
    return SCHEME + base64.b64encode(ciphertext).decode()


def is_wrapped(encoded: str) -> bool:
    """Return whether a key is wrapped."""
    return encoded.startswith(SCHEME)


def holds_wrapped(text: SecretStr) -> bool:
    """Return whether a key ring or a single key has anything to unwrap."""
    return any(map(is_wrapped, text.get_secret_value().split()))


def ciphertext_of(encoded: str, name: str) -> bytes:
    """Return the ciphertext that KMS has to decrypt. Raises ValueError that names the key and shows no part of it."""
    try:
        found = base64.b64decode(encoded.removeprefix(SCHEME), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not 0 < len(found) <= _LONGEST:
        raise ValueError(f"{name} is wrapped, but not as {SCHEME} and the base64 of a ciphertext of KMS")
    return found


def wrapped_ring_text(text: SecretStr) -> SecretStr:
    """Return a key ring, whose keys may be wrapped, after a check. Raises ValueError that names the fault and shows no key."""
    for kid, encoded in ring_entries(text.get_secret_value()).items():
        if is_wrapped(encoded):
            ciphertext_of(encoded, f"key {kid} of the key ring")
        else:
            ring_key(kid, encoded)
    return text


def wrapped_key_text(text: SecretStr, use: SingleUse) -> SecretStr:
    """Return a single key, which may be wrapped, after a check. Raises ValueError that names the key and shows no part of it."""
    encoded = text.get_secret_value().strip()
    if is_wrapped(encoded):
        ciphertext_of(encoded, use.in_words)
    else:
        parse_key(encoded, use.in_words)
    return text
