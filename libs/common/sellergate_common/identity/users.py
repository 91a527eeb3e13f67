"""User IDs: the permitted characters, and their encoding in gRPC metadata.

Two IDs are the same user if they are equal byte for byte in UTF-8; no step normalises or trims them.
"""

import re

from sellergate_common.errors import InvalidRequest

ON_BEHALF_OF = "on_behalf_of"
# gRPC carries only ASCII under a plain key, and may trim blanks at both ends; a key that ends in -bin carries any bytes.
ON_BEHALF_OF_BYTES = "on_behalf_of-bin"
MAX_USER_ID_LENGTH = 128
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_RULE = f"must be a user id of at most {MAX_USER_ID_LENGTH} printable characters"


def is_user_id(text: str) -> bool:
    """Return whether a text can be a user ID: printable characters of any script, spaces included."""
    return 0 < len(text) <= MAX_USER_ID_LENGTH and text.isprintable()


def check_user_id(text: str, field: str) -> str:
    """Return a user ID after a check. Raises InvalidRequest that names the field."""
    if not is_user_id(text):
        raise InvalidRequest.of_field(field, _RULE)
    return text


def to_metadata(user: str) -> tuple[str, str | bytes]:
    """Return the metadata of a user ID: ASCII under the plain key, which every peer reads; any other as UTF-8 bytes.

    Raises InvalidRequest.
    """
    check_user_id(user, ON_BEHALF_OF)
    return (ON_BEHALF_OF, user) if _PLAIN.fullmatch(user) else (ON_BEHALF_OF_BYTES, user.encode())


def from_metadata(value: bytes) -> str:
    """Return the user ID under the key for bytes; bytes that are not UTF-8 become a text that is not a valid user ID."""
    return value.decode("utf-8", "surrogateescape")
