"""Decryption of the former system's values: AES-256-CBC with PKCS7 padding, in each column's layout."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from pydantic import SecretBytes, SecretStr

from sellergate_cli.legacy.layouts import BLOCK_BYTES, Layout, Sealed, is_plaintext, read_layout
from sellergate_cli.legacy.notes import Refused

ENCRYPTED = {
    "lwaClientId": "account.lwa_client_id",
    "lwaClientSecret": "account.lwa_client_secret",
    "refreshToken": "account.refresh_token",
}
"""The encrypted columns, and the fields of the contract that they fill."""
_IS_PLAINTEXT = "is plaintext; let the former system encrypt it and import again"


def decrypt(key: SecretBytes, sealed: Sealed) -> str | None:
    """Return the plaintext of an IV and a ciphertext; None if this key does not decrypt it."""
    iv, ciphertext = sealed
    decryptor = Cipher(algorithms.AES(key.get_secret_value()), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(8 * BLOCK_BYTES).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError:  # wrong padding, or bytes that are not text
        return None


class LegacyCipher:
    """The former system's cipher with one key. A column without an entry in `layouts` may have any layout."""

    def __init__(self, key: SecretBytes, layouts: Mapping[str, Layout] | None = None) -> None:
        self._key = key
        self._layouts = layouts or {}

    def open(self, encrypted: object, name: str) -> SecretStr:
        """Return the decrypted value of the column `name`. Raises Refused that names the field."""
        field = ENCRYPTED[name]
        if encrypted is None:
            raise Refused(field, "is null")
        found = read_layout(encrypted)
        if found is None:
            words = "is not an IV of one AES block and a ciphertext of whole blocks, in hex or base64"
            raise Refused(field, _IS_PLAINTEXT if is_plaintext(encrypted, name) else words)
        layout, sealed = found
        text = decrypt(self._key, sealed)
        if text is None:
            raise Refused(
                field, _IS_PLAINTEXT if is_plaintext(encrypted, name) else "cannot be decrypted with this key"
            )
        expected = self._layouts.get(name, layout)
        if layout is not expected:
            raise Refused(field, f"is {layout}, and the other values of its column are {expected}")
        if not text:
            raise Refused(field, "is empty once decrypted")
        return SecretStr(text)
