"""The reader of Amazon's responses: malformed bytes raise one typed error, and bounded valid ones are read."""

import gzip
import json
import unicodedata
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sellergate_amazon import parsing

MOST = 10_000
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()))
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner)
)
fields = st.dictionaries(st.sampled_from(["access_token", "expires_in", "error", "refresh_token", "rows"]), documents)
encodings = ["utf-8", "utf-16", "utf-32", "latin-1", "shift_jis"]
bodies = st.one_of(
    st.binary(max_size=2 * MOST),
    st.builds(
        lambda value, ascii_only, encoding: (
            json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
            if encoding.startswith("utf")
            else json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "replace")
        ),
        documents | fields,
        st.booleans(),
        st.sampled_from(encodings),
    ),
    st.builds(lambda level: b"[" * level, st.integers(0, MOST)),
    st.builds(lambda level: b'{"a":' * level + b"1" + b"}" * level, st.integers(0, 1500)),
    st.builds(lambda digits: b'{"expires_in":' + b"9" * digits + b"}", st.integers(1, 6000)),
    st.builds(lambda body: gzip.compress(body, mtime=0)[:-3], st.binary()),
)
odd_charsets = ["zlib", "\x00", "\r\nx", "*=utf-8''x", "="]
content_types = st.one_of(
    st.sampled_from(["", "application/json", "text/html", "charset"]),
    st.sampled_from([*encodings, *odd_charsets]).map(lambda text: f"application/json; charset={text}"),
    st.text(max_size=40).map(lambda text: f"application/json; charset={text}"),
)
content_encodings = st.sampled_from(["", "gzip", "GZIP", "identity", "br", "deflate"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=bodies, content_type=content_types, content_encoding=content_encodings)
def test_odd_responses_are_read_or_refused_with_the_one_error(
    body: bytes, content_type: str, content_encoding: str
) -> None:
    try:
        read = parsing.parse_json(body, most=MOST, content_type=content_type, content_encoding=content_encoding)
    except parsing.ParseError:
        return
    json.dumps(read)  # only values that JSON has, and no depth that exceeds the recursion limit
    for read_field in (parsing.token_in, parsing.seconds_in, lambda row, name: parsing.words_in(row, name, 50)):
        for name in ("access_token", "expires_in", "error"):
            try:
                value = read_field(parsing.object_of(read), name)
            except parsing.ParseError:
                continue
            str(value).encode("utf-8")
            assert not [one for one in str(value) if unicodedata.category(one) == "Cc"]


@settings(max_examples=500, deadline=None)
@given(value=st.text(max_size=60), date=st.text(max_size=60) | st.just("Wed, 21 Oct 2026 07:28:00 GMT"))
def test_odd_retry_after_headers_are_read_as_none_or_a_bounded_time(value: str, date: str) -> None:
    seconds = parsing.retry_after(value, date)
    assert seconds is None or 0 <= seconds <= parsing.MOST_RETRY_AFTER_SECONDS


@pytest.mark.parametrize("year", ["99999999999999999999", "0000", "-1"])
def test_a_retry_after_date_that_no_clock_has_is_none(year: str) -> None:
    assert parsing.retry_after(f"Wed, 21 Oct {year} 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT") in (None, 0.0)


@pytest.mark.parametrize("text", ["", "x", "--jan 1 2:2 x", "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"])
def test_what_is_no_date_of_http_is_refused(text: str) -> None:
    with pytest.raises(parsing.ParseError, match="not a date of HTTP"):
        parsing.http_date(text)
    assert parsing.retry_after(text, "Wed, 21 Oct 2026 07:28:00 GMT") is None


@pytest.mark.parametrize("name", ["hex", "base64", "rot13", "bz2", "idna", "punycode", "undefined", "x\0y", "é", ""])
def test_codecs_that_are_no_charsets_are_unknown(name: str) -> None:
    with pytest.raises(parsing.ParseError, match="charset is unknown"):
        parsing.charset_named(name)


def test_a_charset_has_one_name() -> None:
    assert [parsing.charset_named(name) for name in ("UTF-8", "Windows-1252", "GB2312")] == [
        "utf-8",
        "cp1252",
        "gb2312",
    ]


def test_as_many_values_as_are_allowed_are_read() -> None:
    body = b"[" + b"{}," * 20 + b"{}]"
    assert len(parsing.parse_json(body, most=MOST, most_values=42)) == 21
    with pytest.raises(parsing.TooLarge, match="more than 41 values"):
        parsing.parse_json(body, most=MOST, most_values=41)


def test_a_body_in_each_charset_that_its_content_type_names_is_read() -> None:
    for charset in ("utf-8", "utf-16", "shift_jis", "Shift-JIS", '"UTF-8"'):
        body = '{"名": "é" }'.replace("é", "ｶ").encode(charset.strip('"'))
        assert parsing.parse_object(body, most=MOST, content_type=f"application/json; charset={charset}") == {"名": "ｶ"}
    assert parsing.parse_object(b'\xef\xbb\xbf{"a": 1}', most=MOST, content_type="a/b; charset=utf-8") == {"a": 1}


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("x-gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("X-GZip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", zlib.compress(b'{"a": 1}')[2:-4]),
        ("identity", b'{"a": 1}'),
    ],
)
def test_each_content_coding_is_read(coding: str, packed: bytes) -> None:
    assert parsing.parse_object(packed, most=MOST, content_encoding=coding) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "options", "why"),
    [
        (b'{"a": "\xff"}', {}, "charset"),
        (b"{}", {"content_type": "application/json; charset=made-up"}, "charset"),
        (b"{}", {"content_type": "application/json; charset=zlib"}, "charset"),
        (b"[" * 100_000, {"most": 200_000}, "nested too deep"),
        (b"[" * 100 + b"]" * 100, {}, "nested too deep"),
        (b"<html>", {}, "not JSON"),
        (b'{"a": NaN}', {}, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", {}, "not JSON"),
        (b"[]", {}, "not a JSON object"),
        (b"x" * (MOST + 1), {}, f"larger than {MOST} bytes"),
        (gzip.compress(b"x" * 10_000_000, mtime=0), {"content_encoding": "gzip"}, f"larger than {MOST} bytes"),
        (gzip.compress(b"{}", mtime=0)[:-4], {"content_encoding": "gzip"}, "gzip"),
        (b"{}", {"content_encoding": "gzip"}, "gzip"),
        (b"{}", {"content_encoding": "br"}, "content encoding"),
        (zlib.compress(b"x" * 10_000_000), {"content_encoding": "deflate"}, f"larger than {MOST} bytes"),
        (zlib.compress(b"{}")[:-1], {"content_encoding": "deflate"}, "deflate"),
        (b"{}", {"content_encoding": "deflate"}, "deflate"),
    ],
)
def test_an_unreadable_response_gives_the_cause(body: bytes, options: dict[str, Any], why: str) -> None:
    with pytest.raises(parsing.ParseError, match=why):
        parsing.parse_object(body, **{"most": MOST, **options})


@pytest.mark.parametrize(
    "value", ["", "Atza|x\r\nX-Evil: 1", "Atza|\ud800", "é", "a b", "\x7f", "x" * 4097, None, 7, []]
)
def test_a_token_is_visible_ascii_of_bounded_length(value: object) -> None:
    with pytest.raises(parsing.ParseError, match="access_token"):
        parsing.token_in({"access_token": value}, "access_token")


def test_fields_are_read_by_their_type() -> None:
    assert parsing.token_in({"t": "Atza|" + "x" * 2043}, "t").startswith("Atza|")
    assert [parsing.seconds_in({"s": value}, "s") for value in (3600, "3600", 0.5, "1.5")] == [3600, 3600, 0.5, 1.5]
    for value in (0, -1, True, "", "x", "-5", "1e3", "٣", None, [], {}, 10**400, "inf"):
        with pytest.raises(parsing.ParseError, match="not a number of seconds"):
            parsing.seconds_in({"s": value}, "s")
    assert parsing.words_in({"w": "a\r\nb\ud800c" + "d" * 99}, "w", 6) == "a??b?c"
    assert [parsing.words_in({"w": value}, "w", 9) for value in (12, None, [], {})] == ["12", "", "", ""]


def test_what_is_no_list_of_objects_is_refused_and_never_an_empty_list() -> None:
    assert parsing.objects_in({"rows": [{}, {"a": 1}]}, "rows") == [{}, {"a": 1}]
    assert parsing.objects_in({"rows": []}, "rows") == []
    for wrong in ({}, {"rows": None}, {"rows": {"a": 1}}, {"rows": "x"}):
        with pytest.raises(parsing.ParseError, match="rows is no list"):
            parsing.objects_in(wrong, "rows")
    with pytest.raises(parsing.ParseError, match="rows holds other than objects"):
        parsing.objects_in({"rows": [{}, 1]}, "rows")


async def test_collecting_stops_at_the_bound() -> None:
    taken = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b"x" * 100

    with pytest.raises(parsing.TooLarge):
        await parsing.collect(chunks(), 1000)
    assert taken == 11
    assert len(await parsing.collect(chunks(), 100_000)) == 100_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


def outline(value: Any, level: int = 0) -> Any:
    """Return the outline of a JSON value."""
    if isinstance(value, list):
        return value[:1]
    if isinstance(value, dict):
        return {name: outline(one, level + 1) for name, one in value.items()} if level < LEVELS else {}
    return value


LEVELS = 4


@settings(max_examples=300, deadline=None)
@given(
    value=_JSON,
    indent=st.none() | st.integers(0, 2),
    cut=st.integers(0, 400),
    put=st.sampled_from(["", ",", "}", "]", "x", '"']),
)
def test_an_outline_holds_the_first_item_of_each_list_and_invalid_json_has_none(
    value: Any, indent: int | None, cut: int, put: str
) -> None:
    text = json.dumps(value, indent=indent)
    assert parsing.parse_outline(text.encode(), most=MOST, most_values=1_000) == outline(value)
    broken = text[:cut] + put + text[cut + 1 :]
    try:
        expected = outline(json.loads(broken))
    except ValueError:
        with pytest.raises(parsing.ParseError):
            parsing.parse_outline(broken.encode(), most=MOST, most_values=1_000)
    else:
        assert parsing.parse_outline(broken.encode(), most=MOST, most_values=1_000) == expected


def test_an_outline_has_the_bounds_of_other_json() -> None:
    with pytest.raises(parsing.TooLarge):
        parsing.parse_outline(b"[1,1,1]", most=MOST, most_values=2)
    with pytest.raises(parsing.TooLarge):
        parsing.parse_outline(b"[1,1,1]", most=6, most_values=100)
    for body in (
        b"",
        b" ",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{} {}",
        b'{"a": Infinity}',
        b"\xff",
        b'{"a" 1}',
        b"{1: 2}",
        b"[,]",
    ):
        with pytest.raises(parsing.ParseError):
            parsing.parse_outline(body, most=MOST, most_values=1_000_000)
