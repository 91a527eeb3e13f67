"""The reader of Amazon's responses: bounded, decoded and typed, whatever the bytes are.

Every function raises only ParseError. Its message states the fault and no part of the content, which may be a secret.
"""

import codecs
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

MOST_DEPTH = 64
"""Amazon's models nest less than twenty levels."""
MOST_TOKEN_CHARACTERS = 4096
"""The most bytes of LWA's tokens (Developer Guide, "Step 5. Your application exchanges the LWA authorization code")."""
MOST_RETRY_AFTER_SECONDS = 3600.0
"""The bound on Retry-After: a header that names years must not stop a call or close a bucket for years."""
_CHARSETS = frozenset({"utf-8", "utf-16", "utf-32", "ascii", "iso8859-1", "cp1252", "shift_jis"})
# Codecs of Python that encode text and are no charsets of documents. Some need time with the square of the size.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape"})
_TOKEN = re.compile(r"[\x21-\x7e]+")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
# Each value except the outermost follows one of these characters.
_BEFORE_VALUES = ",:[{"
# Control characters, line separators, marks that change the writing direction, and unpaired surrogates.
_BLANKS = re.compile(r"[ \t\n\r]*")
# The levels at which an outline keeps all members of objects: Amazon's next page tokens are on the second level.
_OUTLINED_LEVELS = 4
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class ParseError(ValueError):
    """A response that differs from Amazon's documentation."""


# Two names of the same coding (RFC 9110 §8.4.1.3).
_GZIP = frozenset({"gzip", "x-gzip"})


class TooLarge(ParseError):
    """A response above the accepted size."""


async def collect(chunks: AsyncIterator[bytes], most: int) -> bytes:
    """Return the joined chunks. Raises TooLarge as soon as they exceed `most` bytes, and stops reading."""
    # BytesIO grows in place and returns its buffer without a copy, so that a large body is in memory once.
    body = io.BytesIO()
    async for chunk in chunks:
        if body.tell() + len(chunk) > most:
            raise TooLarge(f"it is larger than {most} bytes")
        body.write(chunk)
    return body.getvalue()


def unpack(body: bytes, content_encoding: str, most: int) -> bytes:
    """Return a body without its content encoding. Raises ParseError; TooLarge above `most` bytes."""
    encoding = content_encoding.strip().lower()
    if encoding in _GZIP:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
                body = packed.read(most + 1)
        except (OSError, EOFError, ValueError, zlib.error):
            raise ParseError("its gzip encoding is invalid") from None
    elif encoding == "deflate":
        body = _inflate(body, most)
    elif encoding not in ("", "identity"):
        raise ParseError("its content encoding is not known")
    if len(body) > most:
        raise TooLarge(f"it is larger than {most} bytes")
    return body


def _inflate(body: bytes, most: int) -> bytes:
    """Return an inflated body, `most` + 1 bytes at most: in zlib's format (RFC 9110 §8.4.1.2), or raw as some servers send it."""
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        unpacker = zlib.decompressobj(window)
        try:
            found = unpacker.decompress(body, most + 1)
        except zlib.error:
            continue
        if unpacker.eof or len(found) > most:
            return found
    raise ParseError("its deflate encoding is invalid")


def parse_json(
    body: bytes, *, most: int, content_type: str = "", content_encoding: str = "", most_values: int | None = None
) -> Any:
    """Return the JSON of a body with at most `most` bytes and MOST_DEPTH levels; the content type may name a charset.

    `most_values` bounds the number of values, because a value of three bytes takes up to a hundred as a Python object.
    """
    text = _text(unpack(body, content_encoding, most), content_type)
    if most_values is not None and sum(map(text.count, _BEFORE_VALUES)) > most_values:
        raise TooLarge(f"it holds more than {most_values} values")
    try:
        document = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ParseError("its JSON is nested too deeply") from None
    except ValueError:
        raise ParseError("it is not JSON") from None
    _check_depth(document)
    return document


def parse_text(body: bytes, *, most: int, content_type: str = "", content_encoding: str = "") -> str:
    """Return the text of a body with at most `most` bytes; the content type may name a charset."""
    return _text(unpack(body, content_encoding, most), content_type)


def parse_outline(
    body: bytes, *, most: int, most_values: int, content_type: str = "", content_encoding: str = ""
) -> Any:
    """Return an outline of a body's JSON: only the first value of each list, and no deeper objects beyond a few levels.

    The function reads value by value, so that other threads can run in between and only the text and one value are in
    memory. Bounds as of parse_json.
    """
    text = _text(unpack(body, content_encoding, most), content_type)
    if sum(map(text.count, _BEFORE_VALUES)) > most_values:
        raise TooLarge(f"it holds more than {most_values} values")
    try:
        outline, end = _outline(text, _skipped(text, 0), 0)
    except RecursionError:
        raise ParseError("its JSON is nested too deeply") from None
    except ValueError:
        raise ParseError("it is not JSON") from None
    if _skipped(text, end) != len(text):
        raise ParseError("it is not JSON")
    return outline


def parse_object(body: bytes, *, most: int, content_type: str = "", content_encoding: str = "") -> dict[str, Any]:
    """Return the JSON object of a body, as parse_json reads it."""
    return object_of(parse_json(body, most=most, content_type=content_type, content_encoding=content_encoding))


def object_of(value: Any) -> dict[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise ParseError("it is not a JSON object")
    return value


def objects_in(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of an array. Raises ParseError for a missing field or any other value, which are not empty lists."""
    rows = document.get(name)
    if not isinstance(rows, list):
        raise ParseError(f"{name} is no list")
    if not all(isinstance(row, dict) for row in rows):
        raise ParseError(f"{name} holds other than objects")
    return rows


def token_in(document: Mapping[str, Any], name: str, most: int = MOST_TOKEN_CHARACTERS) -> str:
    """Return a field for use in a header or form: visible ASCII, not empty, `most` characters at most."""
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ParseError(f"{name} is missing")
    if len(value) > most or not _TOKEN.fullmatch(value):
        raise ParseError(f"{name} is longer than {most} characters, or holds characters other than visible ASCII")
    return value


def text_in(document: Mapping[str, Any], name: str, most: int = MOST_TOKEN_CHARACTERS) -> str:
    """Return a field that is sent back to Amazon unchanged, such as an ID: printable, not empty, `most` characters at most."""
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ParseError(f"{name} is missing")
    if len(value) > most or _UNPRINTABLE.search(value):
        raise ParseError(f"{name} is longer than {most} characters, or holds unprintable ones")
    return value


def seconds_in(document: Mapping[str, Any], name: str) -> float:
    """Return a field with a positive number of seconds, as a number or text."""
    value = document.get(name)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    try:
        seconds = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    except OverflowError:
        seconds = math.inf
    if not 0 < seconds < math.inf:
        raise ParseError(f"{name} is not a number of seconds")
    return seconds


def words_in(document: Mapping[str, Any], name: str, most: int) -> str:
    """Return up to `most` characters of a field for people, with unprintable characters replaced; empty where it is absent."""
    value = document.get(name)
    if isinstance(value, str):
        return printable(value, most)
    if isinstance(value, int | float):
        return str(value)[:most]
    return ""


def printable(text: str, most: int) -> str:
    """Return up to `most` characters of a text, with "?" for characters that cannot be printed or encoded."""
    return _UNPRINTABLE.sub("?", text[:most])


def retry_after(value: str, date: str) -> float | None:
    """Return the seconds of a Retry-After header, at most MOST_RETRY_AFTER_SECONDS; None where it is absent.

    A date (RFC 9110 §10.2.3) is relative to the response's own Date, so that this machine's clock does not matter.
    """
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (http_date(value) - http_date(date)).total_seconds()
        except (ParseError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), MOST_RETRY_AFTER_SECONDS)


def http_date(text: str) -> datetime:
    """Return the time in a header such as Date. Raises ParseError."""
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        raise ParseError("it is not a date of HTTP") from None


def charset_named(name: str) -> str:
    """Return Python's name of a charset. Raises ParseError for an unknown one, and for a codec that is none, such as hex."""
    try:
        found = codecs.lookup(name).name
        "a".encode(found)
    except (LookupError, ValueError):
        raise ParseError("its charset is unknown") from None
    if found in _NO_CHARSETS:
        raise ParseError("its charset is unknown")
    return found


def _outline(text: str, at: int, level: int) -> tuple[Any, int]:
    """Return the outline of the value at position `at`, and the position of its end. Raises ValueError."""
    opening = text[at : at + 1]
    if opening == "{" and level < _OUTLINED_LEVELS:
        return _outline_object(text, _skipped(text, at + 1), level)
    if opening == "[":
        return _outline_list(text, _skipped(text, at + 1))
    value, end = _DECODER.raw_decode(text, at)
    return ({} if isinstance(value, dict) else value), end


def _outline_object(text: str, at: int, level: int) -> tuple[dict[str, Any], int]:
    members = dict[str, Any]()
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise ValueError
        name, at = _DECODER.raw_decode(text, at)
        at = _skipped(text, at)
        if text[at : at + 1] != ":":
            raise ValueError
        members[name], at = _outline(text, _skipped(text, at + 1), level + 1)
        at, ended = _after_value(text, at, "}")
        if ended:
            return members, at


def _outline_list(text: str, at: int) -> tuple[list[Any], int]:
    first = list[Any]()
    if text[at : at + 1] == "]":
        return first, at + 1
    while True:
        value, at = _DECODER.raw_decode(text, at)
        if not first:
            first.append(value)
        at, ended = _after_value(text, at, "]")
        if ended:
            return first, at


def _after_value(text: str, at: int, closing: str) -> tuple[int, bool]:
    """Return the position after a value and its separator, and whether the enclosing value ends there. Raises ValueError."""
    at = _skipped(text, at)
    found = text[at : at + 1]
    if found == closing:
        return at + 1, True
    if found != ",":
        raise ValueError
    return _skipped(text, at + 1), False


def _skipped(text: str, at: int) -> int:
    """Return the position of the next non-blank character."""
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _text(body: bytes, content_type: str) -> str:
    try:
        charset: str = json.detect_encoding(body)
        named = _charset(content_type)
        if named and not (named == "utf-8" and charset == "utf-8-sig"):
            charset = named
        return body.decode(charset)
    except (LookupError, ValueError):
        raise ParseError("its charset is unknown, or its bytes are invalid in that charset") from None


def _charset(content_type: str) -> str:
    """Return the charset in a content type; empty if there is none. Raises LookupError, ValueError."""
    if "charset" not in content_type.lower():
        return ""
    message = Message()
    message["content-type"] = content_type.replace("\r", " ").replace("\n", " ")
    named = codecs.lookup(str(message.get_param("charset") or "utf-8")).name
    if named not in _CHARSETS:
        raise LookupError
    return named


def _refuse(_: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python accepts but JSON lacks."""
    raise ParseError("it is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(MOST_DEPTH + 1):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise ParseError("its JSON is nested too deeply")
