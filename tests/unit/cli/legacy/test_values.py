"""Parsing of a former database's keys, ciphertexts and single values."""

import base64
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr
from sellergate_cli.legacy.ciphers import LegacyCipher
from sellergate_cli.legacy.database import parse_url
from sellergate_cli.legacy.keys import parse_key
from sellergate_cli.legacy.notes import Refused, Tally, printable
from sellergate_cli.legacy.values import to_flag, to_list, to_optional_text, to_text, to_time
from sellergate_cli.operator import SentenceError

from tests.e2e.legacy_system import encrypted

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEY = os.urandom(32)
ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.from_regex(r"-?[0-9]{1,30}", fullmatch=True),
)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_the_same_in_every_form(key: bytes) -> None:
    plain, url_safe = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()
    for form in (key.hex(), key.hex().upper() + "\n", plain, plain.rstrip("="), url_safe, f" {url_safe}\r\n"):
        assert parse_key(SecretStr(form)).value.get_secret_value() == key


@given(st.text(min_size=32, max_size=32, alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_thirty_two_characters_are_a_key_as_they_are(text: str) -> None:
    assert parse_key(SecretStr(text + "\n")).value.get_secret_value() == text.encode()


@pytest.mark.parametrize("given", ["", "ab" * 31, "ab" * 33, "k" * 31, "é" * 32, base64.b64encode(b"k" * 31).decode()])
def test_a_key_of_another_size_is_refused_without_showing_it(given: str) -> None:
    with pytest.raises(SentenceError, match="must be 32 bytes") as refused:
        parse_key(SecretStr(given))
    assert not given or given not in str(refused.value)


def cipher(key: bytes = KEY) -> LegacyCipher:
    return LegacyCipher(SecretBytes(key))


@given(st.text(min_size=1))
def test_encrypted_values_are_decrypted(text: str) -> None:
    assert cipher().open(encrypted(KEY, text), "refreshToken").get_secret_value() == text


@given(ANYTHING)
def test_anything_else_is_refused_by_the_name_of_the_field(value: Any) -> None:
    with pytest.raises(Refused, match=r"^account\.refresh_token: "):
        cipher().open(value, "refreshToken")


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=80))
def test_no_ciphertext_ends_in_anything_but_text_or_a_refusal(iv: bytes, sealed: bytes) -> None:
    words = ""
    try:
        assert cipher().open(f"{iv.hex()}:{sealed.hex()}", "refreshToken").get_secret_value()
    except Refused as refused:
        words = str(refused)
    assert len(sealed) < len("64") or sealed.hex() not in words


@given(ANYTHING)
def test_every_value_is_read_or_refused(value: Any) -> None:
    for read in (to_text, to_optional_text, to_flag, to_list, lambda given, name: to_time(given, name, NOW)):
        try:
            found: Any = read(value, "field")
        except Refused as refused:
            assert refused.name.startswith("field")  # noqa: PT017
        else:
            assert isinstance(found, (str, bool, tuple, datetime))


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2026, 11, 1)))  # noqa: DTZ001
def test_a_time_is_the_same_in_every_form(naive: datetime) -> None:
    time = naive.replace(microsecond=naive.microsecond // 1000 * 1000, tzinfo=UTC)
    milliseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    text = time.replace(tzinfo=None).isoformat()
    for form in (milliseconds, str(milliseconds), text, text.replace("T", " "), text + "Z", text + "+00:00"):
        assert to_time(form, "field", NOW) == time


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "infinity",
        "0044-03-15 00:00:00 BC",
        "2024-02-30",
        0,
        10**30,
        1.7e9,
        float("nan"),
        "2027-01-01",
        True,
        b"1",
    ],
)
def test_a_time_that_cannot_be_is_refused(value: Any) -> None:
    with pytest.raises(Refused, match=r"^create_time: "):
        to_time(value, "create_time", NOW)


def test_lists_are_json_also_within_json_or_text_with_commas() -> None:
    assert to_list('["A", "B"]', "field") == ("A", "B")
    assert to_list('"[\\"A\\"]"', "field") == ("A",)
    for text in ("A,B", " A , B ", '"A,B"', "A,B,"):
        assert to_list(text, "field") == ("A", "B"), text
    assert to_list("A", "field") == ("A",)
    assert to_list(None, "field") == to_list("null", "field") == to_list("[]", "field") == ()
    for bad in ("[", '{"A"', '"A', "[" * 4000, "1", "[[]]", '["\\ud800"]', "x" * 5000):
        with pytest.raises(Refused):
            to_list(bad, "field")


def test_prismas_urls_are_understood() -> None:
    url, schema = parse_url(SecretStr("postgres://u:p@h:1/d?schema=old&connection_limit=5&sslmode=require"))
    assert (url.drivername, url.database, schema) == ("postgresql+psycopg", "d", "old")
    assert dict(url.query) == {"sslmode": "require", "connect_timeout": "10"}
    url, schema = parse_url(SecretStr("file:./dev.db?connection_limit=1"))
    assert (url.drivername, url.database, dict(url.query), schema) == ("sqlite", "./dev.db", {}, None)
    for bad in ("", "dev.db", "sqlite://", "mysql://h/d", "postgresql://h:port/d", "postgresql://h"):
        with pytest.raises(SentenceError):
            parse_url(SecretStr(bad))


def test_terminal_output_moves_no_cursor() -> None:
    assert printable("c123") == "c123"
    assert printable("a\x1b[2Jb") == "'a\\x1b[2Jb'"
    assert printable("a\udcff") == "'a\\udcff'"
    assert len(printable("x" * 1000)) < 100


def test_counts_that_do_not_add_up_are_seen() -> None:
    assert Tally(3, created=1, unchanged=1, refused=1).adds_up
    assert not Tally(3, created=1).adds_up
