"""Page tokens: a position in a list, and a digest of the list's query, so that a token is valid only for its list."""

import base64
import binascii
import hashlib
import json
import re
from datetime import UTC, datetime

from sellergate_common.errors import InvalidRequest

from sellergate_account.model import Cursor

DEFAULT_SIZE = 50
MAX_SIZE = 500
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def page_size(requested: int) -> int:
    """Return the size of a page: 50 by default, at most 500."""
    return min(requested or DEFAULT_SIZE, MAX_SIZE)


def encode(after: Cursor, query: object) -> str:
    """Return the token of the page that begins after a cursor; `query` holds the user and the filter of the list."""
    parts = [after.create_time.isoformat(), after.id, _digest(query)]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(token: str, query: object) -> Cursor | None:
    """Read a token; None for the first page. Raises InvalidRequest."""
    if not token:
        return None
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        time, row_id, digest = json.loads(decoded)
        cursor = Cursor(datetime.fromisoformat(time).astimezone(UTC), _check_row_id(row_id))
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        # The cause is not chained: its text holds what the caller sent.
        raise _bad_token() from None
    if digest != _digest(query):
        raise InvalidRequest.of_field("page_token", "belongs to another list; the other fields must stay the same")
    return cursor


def encode_number(after: int, query: object) -> str:
    """Return the token of the page of a numbered list that begins after a number."""
    return encode(Cursor(datetime.fromtimestamp(0, UTC), str(after)), query)


def decode_number(token: str, query: object) -> int:
    """Read the token of a page of a numbered list; 0 for the first page. Raises InvalidRequest."""
    cursor = decode(token, query)
    if cursor is None:
        return 0
    if not _NUMBER.fullmatch(cursor.id):
        raise _bad_token()
    return int(cursor.id)


def _check_row_id(row_id: str) -> str:
    if not _ID.fullmatch(row_id):
        raise ValueError(row_id)
    return row_id


def _bad_token() -> InvalidRequest:
    return InvalidRequest.of_field("page_token", "must be the next_page_token of the page before")


def _digest(query: object) -> str:
    return hashlib.sha256(repr(query).encode()).hexdigest()[:16]
