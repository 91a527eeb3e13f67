"""The reason of a failed report is shown whatever its bytes and its charset are."""

from collections.abc import AsyncGenerator

import pytest
from sellergate_gateway.documents.download import Head
from sellergate_gateway.reports.reasons import read_reason


async def document(charset: str, body: bytes) -> AsyncGenerator[Head | bytes, None]:
    yield Head(charset, "text/plain", len(body))
    yield body


@pytest.mark.parametrize(
    ("charset", "shown"),
    [
        ("", "No données"),
        ("utf-8", "No données"),
        ("cp1252", "No donnÃ©es"),
        *((name, "No données") for name in ("klingon", "hex", "rot13", "zlib", "idna", "undefined", "x\0y")),
    ],
)
async def test_the_charset_is_a_known_one_or_utf_8(charset: str, shown: str) -> None:
    assert await read_reason(document(charset, "No\n données".encode())) == shown
