"""Values of a former system: every layout of an encrypted value, and every form of its key."""

import base64
import hashlib
import json
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from sellergate_cli.legacy.layouts import Layout

Sealed = tuple[bytes, bytes]


def sealed(key: bytes, text: str) -> Sealed:
    """Encrypt as the former system did; return the IV and the ciphertext."""
    iv, padder = os.urandom(16), PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return iv, encryptor.update(padder.update(text.encode()) + padder.finalize()) + encryptor.finalize()


def plain(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def url_safe(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _json(name: str, iv: Callable[[bytes], str], content: Callable[[bytes], str]) -> Callable[[bytes, bytes], str]:
    return lambda one, two: json.dumps({"iv": iv(one), name: content(two)})


WRITERS: list[tuple[Layout, Callable[[bytes, bytes], str]]] = [
    (Layout.HEX_HEX, lambda iv, text: f"{iv.hex()}:{text.hex()}"),
    (Layout.HEX_HEX, lambda iv, text: f"{iv.hex()}:{text.hex()}".upper()),
    (Layout.BASE64_BASE64, lambda iv, text: f"{plain(iv)}:{plain(text)}"),
    (Layout.BASE64_BASE64, lambda iv, text: f"{url_safe(iv)}:{url_safe(text)}"),
    (Layout.HEX_BASE64, lambda iv, text: f"{iv.hex()}:{plain(text)}"),
    (Layout.HEX_BASE64, lambda iv, text: f"{iv.hex()}:{url_safe(text)}"),
    (Layout.HEX, lambda iv, text: (iv + text).hex()),
    (Layout.BASE64, lambda iv, text: plain(iv + text)),
    (Layout.BASE64, lambda iv, text: url_safe(iv + text)),
    (Layout.JSON_HEX, _json("content", bytes.hex, bytes.hex)),
    (Layout.JSON_HEX, _json("encryptedData", bytes.hex, bytes.hex)),
    (Layout.JSON_BASE64, _json("data", plain, plain)),
    (Layout.JSON_BASE64, _json("content", url_safe, url_safe)),
    (Layout.JSON_HEX_BASE64, _json("content", bytes.hex, plain)),
]

PASSPHRASE = "correct horse"
KEYS: list[tuple[str, str | None, bytes]] = [
    (hashlib.sha256(b"k").hexdigest(), None, hashlib.sha256(b"k").digest()),
    (plain(hashlib.sha256(b"k").digest()), None, hashlib.sha256(b"k").digest()),
    ("k" * 32, None, b"k" * 32),
    (PASSPHRASE, "sha256", hashlib.sha256(PASSPHRASE.encode()).digest()),
    # Printed by node: crypto.scryptSync('correct horse', 'salt', 32).toString('hex')
    (PASSPHRASE, "scrypt:salt", bytes.fromhex("07a5fc62617df14f07bab22816eb0cf94a36ca87aa38ca9016fd696479033f79")),
    (PASSPHRASE, "pad", b"correct horse0000000000000000000"),
]
"""The operator's input, --key-from, and the expected key."""
