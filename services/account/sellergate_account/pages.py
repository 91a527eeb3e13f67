"""Page tokens: a place in the list, and a digest of what was asked, so that a token serves no other question."""

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime

from sellergate_common.errors import InvalidRequest

from sellergate_account.model import Place

DEFAULT_SIZE = 50
MAX_SIZE = 500


def page_size(asked: int) -> int:
    """Return the size of a page: 50 unless asked for, never above 500."""
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def encode(after: Place, question: object) -> str:
    """Return the token of the page that begins after a place; `question` is what the list was narrowed to."""
    parts = [after.create_time.isoformat(), after.id, _digest(question)]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(token: str, question: object) -> Place | None:
    """Read a token; None for the first page. Raises InvalidRequest."""
    if not token:
        return None
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        time, row_id, digest = json.loads(decoded)
        place = Place(datetime.fromisoformat(time).astimezone(UTC), str(row_id))
    except (binascii.Error, ValueError, TypeError, OverflowError) as error:
        raise InvalidRequest.of_field("page_token", "must be the next_page_token of the page before") from error
    if digest != _digest(question):
        raise InvalidRequest.of_field("page_token", "belongs to another list; the other fields must stay the same")
    return place


def _digest(question: object) -> str:
    return hashlib.sha256(repr(question).encode()).hexdigest()[:16]
