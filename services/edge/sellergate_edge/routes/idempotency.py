"""The Idempotency-Key of a writing request (draft-ietf-httpapi-idempotency-key-header), in quotes or without."""

import re
from typing import Annotated

from fastapi import Depends, Header
from sellergate_common.errors import InvalidRequest

HEADER = "Idempotency-Key"
_KEY = re.compile(r'"(?P<quoted>[A-Za-z0-9_-]{16,64})"|(?P<bare>[A-Za-z0-9_-]{16,64})')


async def _read(
    idempotency_key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="A unique id of this request, such as a UUID. A repeat within 24 hours returns the first response"
            " and changes nothing. A different request with the same key is refused.",
        ),
    ] = None,
) -> str:
    """Return the key; empty without the header. Raises InvalidRequest."""
    if idempotency_key is None:
        return ""
    given = _KEY.fullmatch(idempotency_key.strip())
    if given is None:
        raise InvalidRequest.of_field(HEADER, "must be 16 to 64 letters, digits, _ and -, as in a UUID, or be left out")
    return given["quoted"] or given["bare"]


IdempotencyKey = Annotated[str, Depends(_read)]
