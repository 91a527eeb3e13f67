"""Page tokens: a place in the list, and a digest of what was asked, so that a token serves no other question."""

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


def page_size(asked: int) -> int:
    """Return the size of a page: 50 unless asked for, never above 500."""
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def encode(after: Cursor, question: object) -> str:
    """Return the token of the page that begins after a place; `question` is what the list was narrowed to."""
    parts = [after.create_time.isoformat(), after.id, _digest(question)]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(token: str, question: object) -> Cursor | None:
    """Read a token; None for the first page. Raises InvalidRequest."""
    if not token:
        return None
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        time, row_id, digest = json.loads(decoded)
        place = Cursor(datetime.fromisoformat(time).astimezone(UTC), _check_row_id(row_id))
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _bad_token() from error
    if digest != _digest(question):
        raise InvalidRequest.of_field("page_token", "belongs to another list; the other fields must stay the same")
    return place


def encode_number(after: int, question: object) -> str:
    """Return the token of the page of a numbered list that begins after a number."""
    return encode(Cursor(datetime.fromtimestamp(0, UTC), str(after)), question)


def decode_number(token: str, question: object) -> int:
    """Read the token of a page of a numbered list; 0 for the first page. Raises InvalidRequest."""
    place = decode(token, question)
    if place is None:
        return 0
    if not _NUMBER.fullmatch(place.id):
        raise _bad_token()
    return int(place.id)


def _check_row_id(row_id: str) -> str:
    if not _ID.fullmatch(row_id):
        raise ValueError(row_id)
    return row_id


def _bad_token() -> InvalidRequest:
    return InvalidRequest.of_field("page_token", "must be the next_page_token of the page before")


def _digest(question: object) -> str:
    return hashlib.sha256(repr(question).encode()).hexdigest()[:16]
