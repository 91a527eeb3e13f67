"""User ids: what they may hold, and how gRPC metadata carry them.

Two ids are the same user when they are equal byte for byte in UTF-8; nothing is normalised or trimmed on any way.
"""

import re

from sellergate_common.errors import InvalidRequest

ON_BEHALF_OF = "on_behalf_of"
# gRPC carries only ASCII under a plain key, and may trim blanks at both ends; under a key that ends in -bin it carries any bytes.
ON_BEHALF_OF_BYTES = "on_behalf_of-bin"
MAX_USER_ID_LENGTH = 128
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_RULE = f"must be a user id of at most {MAX_USER_ID_LENGTH} printable characters"


def is_user_id(text: str) -> bool:
    """Report whether a text can be a user id: printable characters of any script, the space included."""
    return 0 < len(text) <= MAX_USER_ID_LENGTH and text.isprintable()


def check_user_id(text: str, field: str) -> str:
    """Return a user id. Raises InvalidRequest that names the field."""
    if not is_user_id(text):
        raise InvalidRequest.of_field(field, _RULE)
    return text


def to_metadata(user: str) -> tuple[str, str | bytes]:
    """Return the metadata of a user id: plain ASCII under the key that every peer reads, all else as UTF-8.

    Raises InvalidRequest.
    """
    check_user_id(user, ON_BEHALF_OF)
    return (ON_BEHALF_OF, user) if _PLAIN.fullmatch(user) else (ON_BEHALF_OF_BYTES, user.encode())


def from_metadata(value: bytes) -> str:
    """Return the user id that the key for bytes carries; text that is no user id where the bytes are not UTF-8."""
    return value.decode("utf-8", "surrogateescape")
