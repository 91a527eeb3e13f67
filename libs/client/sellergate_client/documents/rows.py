"""Rows of Amazon's tables: tab-separated or comma-separated, with the names of the columns in the first line.

The header decides: with a tab in it, values are separated by tabs and quotation marks are ordinary characters, as in Amazon's
flat files; otherwise values are separated by commas and quoted as in RFC 4180, and may hold line breaks. Values are
texts, except in columns for which the caller declares a type; an empty value of such a column is None.
"""

import codecs
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from typing import Any

from sellergate_amazon import parsing

MOST_ROW_CHARACTERS = 16 * 1024 * 1024
Types = Mapping[str, Callable[[str], Any]]


class RowError(ValueError):
    """A row that cannot be read. The message names row and column, and holds no part of the content."""


async def rows_of(
    chunks: AsyncIterable[bytes], charset: Callable[[], str], types: Types | None = None
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the rows of a table. `charset` names that of the chunks, once the first has arrived. Raises RowError."""
    types, header, number, delimiter = types or {}, list[str](), 0, ""
    async for record in _records(_texts(chunks, charset)):
        number += 1
        if not record:
            continue
        if not header:
            delimiter = "\t" if "\t" in record else ","
            header = _split(record, delimiter, number)
            if missing := sorted(types.keys() - set(header)):
                # The first line of a document that is no table, or has no header, may hold personal data.
                raise RowError(
                    f"The first line has {len(header)} columns, and none named {missing[0]}; compare it with `types`."
                )
            continue
        values = _split(record, delimiter, number)
        if len(values) > len(header):
            raise RowError(
                f"Row {number} has {len(values)} values for {len(header)} columns; read the document as bytes."
            )
        values += [""] * (len(header) - len(values))
        yield {name: _typed(value, types.get(name), name, number) for name, value in zip(header, values, strict=True)}


def _typed(value: str, make: Callable[[str], Any] | None, name: str, number: int) -> Any:
    if make is None:
        return value
    if not value.strip():
        return None
    try:
        return make(value.strip())
    except (ValueError, ArithmeticError):
        kind = getattr(make, "__name__", "the declared type")
        raise RowError(f"Row {number}: the value of {name} is no {kind}; declare another type, or none.") from None


def _split(record: str, delimiter: str, number: int) -> list[str]:
    if delimiter == "\t":
        return record.split("\t")
    try:
        return next(csv.reader(io.StringIO(record, newline=""), strict=True), [])
    except csv.Error:
        raise RowError(f"Row {number} is not quoted as in RFC 4180; read the document as bytes.") from None


async def _records(texts: AsyncIterable[str]) -> AsyncGenerator[str]:
    """Yield the records of a table without their line ends; quoted values of a comma-separated one may hold line breaks."""
    rest, parts, is_comma_separated, is_open = "", list[str](), None, False
    size = 0
    async for text in texts:
        lines = (rest + text).split("\n")
        rest = lines.pop()
        for line in lines:
            if is_comma_separated is None:
                is_comma_separated = "\t" not in line
            parts.append(line)
            size += len(line)
            is_open ^= is_comma_separated and line.count('"') % 2 == 1
            if not is_open:
                yield "\n".join(parts).removesuffix("\r")
                parts, size = [], 0
        if len(rest) + size > MOST_ROW_CHARACTERS:
            raise RowError(f"A row has more than {MOST_ROW_CHARACTERS} characters; read the document as bytes.")
    if parts or rest:
        yield "\n".join([*parts, rest]).removesuffix("\r")


async def _texts(chunks: AsyncIterable[bytes], charset: Callable[[], str]) -> AsyncGenerator[str]:
    decoder: codecs.IncrementalDecoder | None = None
    async for chunk in chunks:
        if decoder is None:
            decoder = _decoder(charset(), chunk)
        yield _decoded(decoder, chunk)
    if decoder is not None:
        yield _decoded(decoder, b"", final=True)


def _decoder(charset: str, first: bytes) -> codecs.IncrementalDecoder:
    try:
        name = parsing.charset_named(charset or "utf-8")
    except parsing.ParseError:
        raise RowError("The charset of the document is unknown; read the document as bytes.") from None
    # Some of Amazon's UTF-8 files begin with a byte order mark.
    name = "utf-8-sig" if name == "utf-8" and first.startswith(codecs.BOM_UTF8[:1]) else name
    return codecs.getincrementaldecoder(name)()


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> str:
    try:
        return decoder.decode(chunk, final)
    except ValueError:
        raise RowError("The bytes of the document are not of its charset; read the document as bytes.") from None
