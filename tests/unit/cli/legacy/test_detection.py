"""Detection of a table's encryption from a sample, with a specific sentence for each fault."""

import os
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr
from sellergate_cli.legacy.ciphers import ENCRYPTED, LegacyCipher
from sellergate_cli.legacy.detection import detect
from sellergate_cli.legacy.keys import is_key_from, parse_key
from sellergate_cli.legacy.layouts import Layout, read_layout
from sellergate_cli.legacy.notes import Refused
from sellergate_cli.operator import SentenceError

from tests.fakes.legacy import KEYS, PASSPHRASE, WRITERS, sealed

CLIENT, SECRET, TOKEN = "amzn1.application-oa2-client.1", "amzn1.oa2-cs.v1.2", "Atzr|3"
Write = Callable[[bytes, bytes], str]
HEX_HEX, BASE64 = WRITERS[0][1], WRITERS[7][1]
KEY = KEYS[2][2]


def row(write: Write, key: bytes = KEY, **changes: Any) -> dict[str, Any]:
    texts = zip(ENCRYPTED, (CLIENT, SECRET, TOKEN), strict=True)
    return {name: write(*sealed(key, text)) for name, text in texts} | changes


@pytest.mark.parametrize(("given", "key_from", "key"), KEYS)
@pytest.mark.parametrize(("layout", "write"), WRITERS)
def test_every_layout_opens_with_every_form_of_key(
    layout: Layout, write: Write, given: str, key_from: str | None, key: bytes
) -> None:
    parsed = parse_key(SecretStr(given + "\n"), key_from)
    assert parsed.value.get_secret_value() == key
    rows = [row(write, key) for _ in range(5)]
    detected = detect(rows, parsed.value)
    assert detected.layouts == dict.fromkeys(ENCRYPTED, layout)
    assert not detected.notices
    assert f"refreshToken: {layout}" in detected.lines()
    cipher = LegacyCipher(parsed.value, detected.layouts)
    for one, (name, text) in product(rows, zip(ENCRYPTED, (CLIENT, SECRET, TOKEN), strict=True)):
        assert cipher.open(one[name], name).get_secret_value() == text


@given(st.binary(min_size=16, max_size=16), st.integers(1, 20), st.sampled_from(WRITERS))
def test_no_value_is_taken_for_another_layout(iv: bytes, blocks: int, writer: tuple[Layout, Write]) -> None:
    layout, write = writer
    ciphertext = os.urandom(16 * blocks)
    assert read_layout(write(iv, ciphertext)) == (layout, (iv, ciphertext))
    for bad_iv, bad in ((iv[:12], ciphertext), (iv, ciphertext[:-1]), (iv, b"")):
        assert read_layout(write(bad_iv, bad)) is None


def test_a_wrong_key_is_distinguished_from_broken_rows() -> None:
    rows = [row(HEX_HEX, refreshToken=broken) for broken in (None, "", "rubbish", 7)]
    assert detect(rows, SecretBytes(KEY)).layouts.keys() == {"lwaClientId", "lwaClientSecret"}
    with pytest.raises(SentenceError, match=r"probably the wrong one.*--key-from sha256"):
        detect(rows, SecretBytes(os.urandom(32)))
    assert detect([], SecretBytes(KEY)).lines() == [f"{name}: no value decrypts" for name in ENCRYPTED]


def test_a_column_of_several_layouts_is_a_mixed_table() -> None:
    rows = [row(HEX_HEX), row(HEX_HEX), row(HEX_HEX, refreshToken=BASE64(*sealed(KEY, TOKEN)))]
    with pytest.raises(SentenceError) as mixed:
        detect(rows, SecretBytes(KEY))
    assert "refreshToken is mixed" in str(mixed.value)
    assert "2 hex(iv):hex(ciphertext) and 1 base64(iv and ciphertext)" in str(mixed.value)
    assert "--table" in str(mixed.value)


def test_columns_may_differ_in_their_layouts() -> None:
    rows = [row(HEX_HEX, refreshToken=BASE64(*sealed(KEY, TOKEN)))]
    assert set(detect(rows, SecretBytes(KEY)).layouts.values()) == {Layout.HEX_HEX, Layout.BASE64}


@pytest.mark.parametrize(
    ("name", "plaintext"),
    [("lwaClientId", CLIENT), ("lwaClientSecret", SECRET), ("lwaClientSecret", "ab" * 32), ("refreshToken", TOKEN)],
)
def test_a_half_migrated_table_says_so_and_its_plaintext_is_refused(name: str, plaintext: str) -> None:
    rows = [row(HEX_HEX), row(HEX_HEX), row(HEX_HEX, **{name: plaintext})]
    detected = detect(rows, SecretBytes(KEY))
    [notice] = detected.notices
    assert f"half migrated: of the sampled values of {name}, 1 are plaintext and 2 encrypted" in notice
    assert plaintext not in notice
    with pytest.raises(Refused, match="is plaintext; let the former system encrypt it") as refused:
        LegacyCipher(SecretBytes(KEY), detected.layouts).open(plaintext, name)
    assert refused.value.name == ENCRYPTED[name]


def test_a_table_of_plaintext_is_no_wrong_key() -> None:
    texts = {"lwaClientId": CLIENT, "lwaClientSecret": "ab" * 32, "refreshToken": TOKEN}
    detected = detect([texts], SecretBytes(KEY))
    assert all(
        f"The column {name} is not encrypted" in notice for name, notice in zip(texts, detected.notices, strict=True)
    )
    assert len(detected.notices) == 3


def test_another_layout_beyond_the_sample_is_refused_with_both_names() -> None:
    cipher = LegacyCipher(SecretBytes(KEY), {"refreshToken": Layout.HEX_HEX})
    with pytest.raises(Refused, match=r"is base64\(iv and ciphertext\), and the other values"):
        cipher.open(BASE64(*sealed(KEY, TOKEN)), "refreshToken")


def test_a_passphrase_without_a_way_to_its_key_names_the_ways() -> None:
    with pytest.raises(SentenceError, match="--key-from sha256, --key-from scrypt:SALT or --key-from pad"):
        parse_key(SecretStr(PASSPHRASE))
    for bad in ("", "scrypt", "scrypt:", "sha512", "Pad"):
        assert not is_key_from(bad)


@pytest.mark.parametrize(
    ("passphrase", "key"),
    [
        ("k" * 40, b"k" * 32),
        ("0", b"0" * 32),
        ("é", None),
        ("", None),
        ("k" * 31 + "\U0001f511", None),
    ],
)
def test_a_passphrase_is_padded_as_javascript_does(passphrase: str, key: bytes | None) -> None:
    if key is not None:
        assert parse_key(SecretStr(passphrase), "pad").value.get_secret_value() == key
        return
    with pytest.raises(SentenceError) as refused:
        parse_key(SecretStr(passphrase), "pad")
    assert not passphrase or passphrase not in str(refused.value)
