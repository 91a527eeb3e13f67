"""Sealing: the values that can be decrypted, and all that must be refused."""

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sellergate_common.crypto.sealing import KeyRing, SealError, blind_index, parse_key


def line(kid: str) -> str:
    return f"{kid} {base64.urlsafe_b64encode(os.urandom(64)).decode().rstrip('=')}"


RING = KeyRing.parse(line("k1"))
PLACE = "accounts/1/refresh_token/1"


@given(st.text(max_size=4096))
def test_any_text_survives(text: str) -> None:
    assert RING.open(RING.seal(text, PLACE), PLACE).get_secret_value() == text


def test_the_same_value_sealed_twice_differs_and_shows_nothing() -> None:
    first, second = RING.seal("Atzr|secret", PLACE), RING.seal("Atzr|secret", PLACE)
    assert first != second
    assert "secret" not in first


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    sealed = RING.seal("Atzr|secret", PLACE)
    index = data.draw(st.integers(0, len(sealed) - 1))
    # The last character of a base64url part may hold unused bits; only a change of meaning must be refused.
    changed = sealed[:index] + data.draw(st.sampled_from("Aa0_-.")) + sealed[index + 1 :]
    if _meaning(changed) == _meaning(sealed):
        return
    with pytest.raises(SealError):
        RING.open(changed, PLACE)


def test_a_value_is_decrypted_only_in_its_own_place() -> None:
    sealed = RING.seal("x", PLACE)
    for place in ("accounts/2/refresh_token/1", "accounts/1/refresh_token/2", "accounts/1/client_secret/1", ""):
        with pytest.raises(SealError):
            RING.open(sealed, place)


def test_old_keys_decrypt_and_the_newest_encrypts() -> None:
    old = line("old")
    sealed = KeyRing.parse(old).seal("x", PLACE)
    both = KeyRing.parse(f"{line('new')}\n{old}\n")
    assert both.newest == "new"
    assert both.open(sealed, PLACE).get_secret_value() == "x"
    with pytest.raises(SealError, match="does not hold"):
        KeyRing.parse(line("new")).open(sealed, PLACE)


@pytest.mark.parametrize("broken", ["\udcdd", ".", ""])
def test_the_error_of_a_broken_value_holds_no_part_of_it(broken: str) -> None:
    parts = RING.seal("a secret", PLACE).split(".")
    parts[3] = parts[3][:-1] + broken
    with pytest.raises(SealError) as raised:
        RING.open(".".join(parts), PLACE)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def test_another_key_under_the_same_id_is_refused() -> None:
    with pytest.raises(SealError, match="changed or sealed under another key"):
        KeyRing.parse(line("k1")).open(RING.seal("x", PLACE), PLACE)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "A256KW", "enc": "A256CBC-HS512", "kid": "k1", "place": PLACE},
        {"alg": "dir", "enc": "A256GCM", "kid": "k1", "place": PLACE},
        {"alg": "dir", "enc": "A256CBC-HS512", "kid": "k1", "place": PLACE, "zip": "DEF"},
        {"alg": "dir", "enc": "A256CBC-HS512", "kid": "k1", "place": PLACE, "crit": ["place"]},
        {"alg": "dir", "enc": "A256CBC-HS512", "kid": ["k1"], "place": PLACE},
        {"alg": "dir", "enc": "A256CBC-HS512", "place": PLACE},
    ],
)
def test_foreign_headers_are_refused_even_under_the_right_key(header: dict[str, object]) -> None:
    try:
        key = RING.keys["k1"] if header["enc"] != "A256GCM" else OctKey.import_key(os.urandom(32))
        sealed = jwe.encrypt_compact(header, "x", key)
    except (JoseError, ValueError):  # the library refuses to create it, so only the header is put before a valid value
        encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
        sealed = encoded + "." + RING.seal("x", PLACE).partition(".")[2]
    with pytest.raises(SealError):
        RING.open(sealed, PLACE)


@pytest.mark.parametrize("text", ["", "\n\n", "k1", "k1 short", f"{line('k1')}\n{line('k1')}", "bad id! " + "A" * 86])
def test_a_bad_key_ring_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(ValueError, match="sellergate keys new"):
        KeyRing.parse(text)


def test_a_key_without_an_id_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="line 1 of the key ring needs a key id of its own, and a key") as caught:
        KeyRing.parse("short-but-secret")
    assert "short-but-secret" not in str(caught.value)


def test_keys_show_up_in_no_repr() -> None:
    key = line("k1")
    assert key.split()[1][:20] not in repr(KeyRing.parse(key))


def test_the_blind_index_distinguishes_lists_of_parts() -> None:
    key = os.urandom(32)
    assert blind_index(key, "ab", "c") != blind_index(key, "a", "bc")
    assert blind_index(key, "ab", "c") == blind_index(key, "ab", "c")
    assert blind_index(os.urandom(32), "ab", "c") != blind_index(key, "ab", "c")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="the index key must be"):
        parse_key("c2hvcnQ", "the index key")


def _meaning(sealed: str) -> tuple[bytes | None, ...]:
    parts: list[bytes | None] = []
    for part in sealed.split("."):
        try:
            parts.append(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except ValueError:
            parts.append(None)
    return tuple(parts)


def test_the_librarys_encryption_passes_the_vectors_of_rfc_7518_appendix_b_3() -> None:
    model = jwe.JWERegistry.algorithms["enc"]["A256CBC-HS512"]
    key = bytes(range(64))
    plain = (
        b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy"
        b" without inconvenience"
    )
    iv = bytes.fromhex("1af38c2dc2b96ffdd86694092341bc04")
    aad = b"The second principle of Auguste Kerckhoffs"
    cipher = bytes.fromhex(
        "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f07"
        "7553df829410446b36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3a3b75e662a2594410ae496b2e2e6609e"
        "31e6e02cc837f053d21f37ff4f51950bbe2638d09dd7a4930930806d0703b1f6"
    )
    tag = bytes.fromhex("4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5")
    assert model.encrypt(plain, key, iv, aad) == (cipher, tag)
    assert model.decrypt(cipher, tag, key, iv, aad) == plain
    with pytest.raises(JoseError):
        model.decrypt(cipher, bytes([tag[0] ^ 1]) + tag[1:], key, iv, aad)
