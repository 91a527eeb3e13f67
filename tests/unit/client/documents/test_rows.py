"""Rows of tables, as Amazon writes them, in chunks of every size."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from sellergate_client.documents.rows import RowError, Types, rows_of

FLAT = 'sku\tname\tqty\r\nA-1\t5" pipe\t3\r\n\r\nA-2\tü\t\r\n'
QUOTED = 'sku,name,price\n"A,1","two\nlines, ""quoted""",1.10\nA-2,,'


async def read(content: bytes, size: int, types: Types | None = None, charset: str = "") -> list[dict[str, Any]]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return [row async for row in rows_of(chunks(), lambda: charset, types)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_a_flat_file_has_no_quoting(size: int) -> None:
    assert await read(FLAT.encode(), size, {"qty": int}) == [
        {"sku": "A-1", "name": '5" pipe', "qty": 3},
        {"sku": "A-2", "name": "ü", "qty": None},
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_a_comma_separated_file_is_quoted(size: int) -> None:
    assert await read(QUOTED.encode(), size, {"price": Decimal}) == [
        {"sku": "A,1", "name": 'two\nlines, "quoted"', "price": Decimal("1.10")},
        {"sku": "A-2", "name": "", "price": None},
    ]


@pytest.mark.parametrize(("charset", "codec"), [("", "utf-8-sig"), ("UTF-8", "utf-8"), ("Cp1252", "cp1252")])
async def test_a_charset_and_a_byte_order_mark(charset: str, codec: str) -> None:
    assert await read("a\tb\nü\t1\n".encode(codec), 1, charset=charset) == [{"a": "ü", "b": "1"}]


@pytest.mark.parametrize(
    ("content", "types", "charset", "words"),
    [
        (b"a\tb\n1\t2\t3\n", {}, "", "Row 2 has 3 values for 2 columns"),
        (b"a\tb\nx\t2\n", {"a": int}, "", "Row 2: the value of a is no int"),
        (b"a\tb\nx\t2\n", {"a": Decimal}, "", "Row 2: the value of a is no Decimal"),
        (b"a\tb\n1\t2\n", {"c": int}, "", "^The first line has 2 columns, and none named c; compare it with `types`.$"),
        (b'a,b\n"x"y,2\n', {}, "", "Row 2 is not quoted"),
        (b"a\tb\n\xff\t2\n", {}, "utf-8", "not of its charset"),
        (b"a\tb\n", {}, "klingon", "unknown"),
        (b"a\tb\n", {}, "hex", "unknown"),
        (b"a\tb\n", {}, "rot13", "unknown"),
        (b"a\tb\n", {}, "bz2", "unknown"),
        (b"a\tb\n", {}, "x\0y", "unknown"),
    ],
)
async def test_an_unreadable_value_is_named_by_row_and_column(
    content: bytes, types: Types, charset: str, words: str
) -> None:
    with pytest.raises(RowError, match=words) as caught:
        await read(content, 4, types, charset)
    assert caught.value.__cause__ is None


async def test_a_table_without_rows() -> None:
    assert await read(b"", 1) == await read(b"a\tb\r\n", 1) == []
