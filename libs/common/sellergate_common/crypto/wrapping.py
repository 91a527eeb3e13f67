"""Wrapped keys: AWS KMS keeps a key encrypted, and `kms:<base64 of its ciphertext>` stands where the key would.

The encryption context binds it to its use and its id, so that a wrapped key opens only in its own place. KMS itself is asked
elsewhere: by the account service, which opens keys, and by the command that makes them.
"""

import base64
import binascii
from enum import StrEnum

from pydantic import SecretStr

from sellergate_common.crypto.sealing import parse_key, ring_entries, ring_key

SCHEME = "kms:"
# KMS takes no longer ciphertext (API reference, Decrypt, CiphertextBlob).
_LONGEST = 6144


class SingleUse(StrEnum):
    """What a single key is for."""

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
    """Write what KMS encrypted as it stands in a setting."""
    return SCHEME + base64.b64encode(ciphertext).decode()


def is_wrapped(encoded: str) -> bool:
    """Return whether a key is a wrapped one."""
    return encoded.startswith(SCHEME)


def holds_wrapped(text: SecretStr) -> bool:
    """Return whether a key ring or a single key has anything to unwrap."""
    return any(map(is_wrapped, text.get_secret_value().split()))


def ciphertext_of(encoded: str, name: str) -> bytes:
    """Return what KMS is to decrypt. Raises ValueError that names the key and shows nothing of it."""
    try:
        found = base64.b64decode(encoded.removeprefix(SCHEME), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not 0 < len(found) <= _LONGEST:
        raise ValueError(f"{name} is wrapped, but not as {SCHEME} and the base64 of a ciphertext of KMS")
    return found


def wrapped_ring_text(text: SecretStr) -> SecretStr:
    """Check a key ring whose lines may be wrapped. Raises ValueError that says what is wrong and shows no key."""
    for kid, encoded in ring_entries(text.get_secret_value()).items():
        if is_wrapped(encoded):
            ciphertext_of(encoded, f"key {kid} of the key ring")
        else:
            ring_key(kid, encoded)
    return text


def wrapped_key_text(text: SecretStr, use: SingleUse) -> SecretStr:
    """Check a single key that may be wrapped. Raises ValueError that names it and shows nothing of it."""
    encoded = text.get_secret_value().strip()
    if is_wrapped(encoded):
        ciphertext_of(encoded, use.in_words)
    else:
        parse_key(encoded, use.in_words)
    return text
