"""The layouts in which former systems store an IV and a ciphertext of AES-256-CBC in one text."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from enum import StrEnum

BLOCK_BYTES = 16
# The account service accepts no value above 2,048 characters.
_LONGEST = 40_000
_HEX = re.compile(r"[0-9a-fA-F]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_CONTENTS = ("content", "encryptedData", "data")
_PLAINTEXT = re.compile(r"amzn1\.|Atz[ra]\|")
Sealed = tuple[bytes, bytes]
"""An IV and a ciphertext."""


class Layout(StrEnum):
    """A format of an IV and a ciphertext."""

    HEX_HEX = "hex(iv):hex(ciphertext)"
    BASE64_BASE64 = "base64(iv):base64(ciphertext)"
    HEX_BASE64 = "hex(iv):base64(ciphertext)"
    HEX = "hex(iv and ciphertext)"
    BASE64 = "base64(iv and ciphertext)"
    JSON_HEX = "JSON of hex"
    JSON_BASE64 = "JSON of base64"
    JSON_HEX_BASE64 = "JSON of a hex iv and a base64 ciphertext"


_PAIRS = {
    ("hex", "hex"): (Layout.HEX_HEX, Layout.JSON_HEX),
    ("base64", "base64"): (Layout.BASE64_BASE64, Layout.JSON_BASE64),
    ("hex", "base64"): (Layout.HEX_BASE64, Layout.JSON_HEX_BASE64),
}


def read_layout(value: object) -> tuple[Layout, Sealed] | None:
    """Return the only layout that a value fits, with its IV and ciphertext; None for a value that fits none.

    Lengths distinguish the layouts: an IV has 16 bytes, and a ciphertext whole blocks. Text of only hex digits is hex,
    because base64 of random bytes has other characters too.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text = value.strip()
    if text.startswith("{"):
        return _in_json(text)
    iv, colon, ciphertext = text.partition(":")
    if colon:
        return _pair(iv, ciphertext, in_json=False)
    layout, sealed = (Layout.HEX, _unhex(text)) if _HEX.fullmatch(text) else (Layout.BASE64, _unbase64(text))
    whole = sealed is not None and len(sealed) > BLOCK_BYTES and not len(sealed) % BLOCK_BYTES
    return (layout, (sealed[:BLOCK_BYTES], sealed[BLOCK_BYTES:])) if sealed and whole else None


def is_plaintext(value: object, name: str) -> bool:
    """Return whether the value of a column is plaintext; older client secrets are 64 hex digits."""
    if not isinstance(value, str):
        return False
    old = name == "lwaClientSecret" and len(value) == 64 and bool(_HEX.fullmatch(value))  # noqa: PLR2004
    return old or bool(_PLAINTEXT.match(value.strip()))


def _in_json(text: str) -> tuple[Layout, Sealed] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    given = [found.get(name) for name in ("iv", *_CONTENTS)] if isinstance(found, dict) else []
    texts = [one for one in given if isinstance(one, str)]
    # An IV and one ciphertext; of two ciphertexts the valid one would be unknown.
    return _pair(*texts, in_json=True) if len(texts) == 2 and given[0] else None  # noqa: PLR2004


def _pair(iv: str, ciphertext: str, *, in_json: bool) -> tuple[Layout, Sealed] | None:
    forms: dict[str, Callable[[str], bytes | None]] = {"hex": _unhex, "base64": _unbase64}
    iv_form = next((form for form, read in forms.items() if len(read(iv) or b"") == BLOCK_BYTES), None)
    form = "hex" if _HEX.fullmatch(ciphertext) else "base64"
    sealed = forms[form](ciphertext)
    layouts = _PAIRS.get((iv_form or "", form))
    if iv_form is None or layouts is None or not sealed or len(sealed) % BLOCK_BYTES:
        return None
    return layouts[in_json], (forms[iv_form](iv) or b"", sealed)


def _unhex(text: str) -> bytes | None:
    return bytes.fromhex(text) if _HEX.fullmatch(text) and not len(text) % 2 else None


def _unbase64(text: str) -> bytes | None:
    if not _BASE64.fullmatch(text):
        return None
    unpadded = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
