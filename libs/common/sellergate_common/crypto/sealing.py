"""Sealing of secrets: only JWE (RFC 7516) with alg "dir" and enc "A256CBC-HS512".

A JOSE library does the encryption: AES-256-CBC with HMAC-SHA-512 (RFC 7518 §5.2.5).

The protected header binds a sealed value to its place: a value moved to another row, field, revision or cache key
cannot be decrypted. A ring holds several keys: the first encrypts, all decrypt, so that keys can be rotated without
downtime.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.registry import HeaderParameter
from pydantic import SecretStr

ALGORITHM = "dir"
ENCRYPTION = "A256CBC-HS512"
KEY_BYTES = 64
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_HOW_TO = "each line holds a key id and base64url of 64 random bytes; `sellergate keys new` makes one"
_HEADER = frozenset({"alg", "enc", "kid", "place"})
_REGISTRY = jwe.JWERegistry(
    {"place": HeaderParameter("Where the value belongs", "str", required=True)}, algorithms=[ALGORITHM, ENCRYPTION]
)


class SealError(Exception):
    """A sealed value that cannot be decrypted; the message gives the cause and no part of the value."""


@dataclass(frozen=True, repr=False)
class KeyRing:
    """Keys by ID, the newest first: the newest seals, and all open."""

    keys: dict[str, OctKey]

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read `kid base64url(64 bytes)` lines. Raises ValueError that says what is wrong and shows no key."""
        return cls({kid: OctKey.import_key(ring_key(kid, encoded)) for kid, encoded in ring_entries(text).items()})

    @property
    def newest(self) -> str:
        """The id of the key that seals."""
        return next(iter(self.keys))

    def seal(self, secret: str, place: str) -> str:
        """Seal `secret` for `place` ("accounts/<id>/refresh_token/<revision>")."""
        header = {"alg": ALGORITHM, "enc": ENCRYPTION, "kid": self.newest, "place": place}
        return jwe.encrypt_compact(header, secret, self.keys[self.newest], registry=_REGISTRY)

    def open(self, sealed: str, place: str) -> SecretStr:
        """Decrypt a value sealed for `place`. Raises SealError when its place or its key is another one."""
        header = _protected_header(sealed)
        if header.keys() != _HEADER or header["alg"] != ALGORITHM or header["enc"] != ENCRYPTION:
            raise SealError(f"a sealed value has a header other than alg {ALGORITHM}, enc {ENCRYPTION}, kid and place")
        key = self.keys.get(header["kid"]) if isinstance(header["kid"], str) else None
        if key is None:
            raise SealError("a sealed value names a key that the ring does not hold")
        if header["place"] != place:
            raise SealError(f"a sealed value does not belong to {place}")
        opened = _decrypt(sealed, key)
        if opened is None:
            raise SealError(f"the value sealed for {place} was changed or sealed under another key")
        return opened

    def is_current(self, sealed: str) -> bool:
        """Return whether a value is sealed under the newest key. Raises SealError when it is not a sealed value."""
        return _protected_header(sealed).get("kid") == self.newest

    def index(self, *parts: str) -> str:
        """Return a name for `parts` that reveals none of them: the hex HMAC-SHA-256 under the newest key."""
        key = self.keys[self.newest].raw_value
        derived = hmac.digest(key, b"sellergate index", hashlib.sha256)
        return blind_index(derived, *parts)


def ring_entries(text: str) -> dict[str, str]:
    """Return the encoded keys of a ring by key ID, in order. Raises ValueError whose message shows no key."""
    entries: dict[str, str] = {}
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        kid, _, encoded = line.partition(" ")
        # A word without an ID may be a key, so that no message names it.
        if not encoded or not _KEY_ID.fullmatch(kid) or kid in entries:
            raise ValueError(f"line {number} of the key ring needs a key id of its own, and a key; {_HOW_TO}")
        entries[kid] = encoded.strip()
    if not entries:
        raise ValueError(f"the key ring has no key; {_HOW_TO}")
    return entries


def ring_key(kid: str, encoded: str) -> bytes:
    """Decode a key of a ring. Raises ValueError that names the key's ID and shows no part of the key."""
    key = _decode(encoded)
    if len(key) != KEY_BYTES:
        raise ValueError(f"key {kid} of the key ring does not have {KEY_BYTES} bytes; {_HOW_TO}")
    return key


def ring_text(text: SecretStr) -> SecretStr:
    """Check a key ring. Raises ValueError that says what is wrong and shows no key."""
    KeyRing.parse(text.get_secret_value())
    return text


def blind_index(key: bytes, *parts: str) -> str:
    """Return the hex HMAC-SHA-256 over `parts`, each with its length, so that different lists have different indexes."""
    message = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def parse_key(text: str, name: str) -> bytes:
    """Read one key of at least 32 bytes, base64url. Raises ValueError that names the setting."""
    key = _decode(text.strip())
    if len(key) < 32:  # noqa: PLR2004
        raise ValueError(f"{name} must be base64url of at least 32 random bytes; `sellergate keys new` makes one")
    return key


def encode_key(key: bytes) -> str:
    """Return a key in the form of rings and settings: base64url without padding."""
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _decrypt(sealed: str, key: OctKey) -> SecretStr | None:
    """Return the text of a sealed value; None if it cannot be decrypted. The library's errors hold it, so none is passed on."""
    try:
        return SecretStr((jwe.decrypt_compact(sealed, key, registry=_REGISTRY).plaintext or b"").decode())
    except (JoseError, ValueError, binascii.Error):
        return None


def _protected_header(sealed: str) -> dict[str, Any]:
    try:
        header = json.loads(_decode(sealed.partition(".")[0]))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise SealError("a sealed value is not a JWE")
    return header
