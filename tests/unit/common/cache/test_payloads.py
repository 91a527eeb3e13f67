"""Replicas of two releases read and write the same entries: these samples are fixed."""

import pytest
from pydantic import SecretStr
from sellergate_common.cache.payloads import CredentialsPayload, TokenPayload

TOKEN = TokenPayload(SecretStr("Atza|é"), 1_800_000_000.25, 3600.0)
TOKEN_TEXT = '{"access_token": "Atza|\\u00e9", "expire_time": 1800000000.25, "life": 3600.0}'
RENEWED = TokenPayload(SecretStr("Atza|2"), 1_800_000_000.0, 3600.0, SecretStr("Atzr|2"))
RENEWED_TEXT = '{"access_token": "Atza|2", "expire_time": 1800000000.0, "life": 3600.0, "refresh_token": "Atzr|2"}'
CREDENTIALS = CredentialsPayload(SecretStr("ASIA1"), SecretStr("key"), SecretStr("session"), 1_800_000_000.5, 900.0)
CREDENTIALS_TEXT = (
    '{"access_key_id": "ASIA1", "secret_access_key": "key", "session_token": "session", '
    '"expire_time": 1800000000.5, "life": 900.0}'
)
SAMPLES = [(TOKEN, TOKEN_TEXT), (RENEWED, RENEWED_TEXT), (CREDENTIALS, CREDENTIALS_TEXT)]


@pytest.mark.parametrize(("payload", "text"), SAMPLES)
def test_the_written_text_is_the_sample(payload: TokenPayload | CredentialsPayload, text: str) -> None:
    assert payload.encode() == text
    assert type(payload).decode(text) == payload


def test_fields_of_a_later_release_are_ignored() -> None:
    assert TokenPayload.decode(TOKEN_TEXT.replace("}", ', "added": 1}')) == TOKEN
    assert CredentialsPayload.decode(CREDENTIALS_TEXT.replace("}", ', "added": 1}')) == CREDENTIALS


def test_an_empty_refresh_token_is_none() -> None:
    assert TokenPayload.decode(TOKEN_TEXT.replace("}", ', "refresh_token": ""}')) == TOKEN


@pytest.mark.parametrize("payload", [TokenPayload, CredentialsPayload])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '"text"',
        "{}",
        TOKEN_TEXT.replace('"Atza|\\u00e9"', "5").replace("access_token", "a"),
        "[" * 100_000,
        TOKEN_TEXT.replace("3600.0", "9" * 400),
        CREDENTIALS_TEXT.replace("900.0", "9" * 400),
        TOKEN_TEXT.replace("3600.0", "NaN"),
        CREDENTIALS_TEXT.replace("900.0", "Infinity"),
    ],
)
def test_another_shape_is_refused(payload: type[TokenPayload | CredentialsPayload], text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        payload.decode(text)


@pytest.mark.parametrize("value", ["5", "null", "[]"])
def test_a_secret_that_is_not_text_is_refused(value: str) -> None:
    with pytest.raises(TypeError):
        TokenPayload.decode(TOKEN_TEXT.replace('"Atza|\\u00e9"', value))
    with pytest.raises(TypeError):
        CredentialsPayload.decode(CREDENTIALS_TEXT.replace('"ASIA1"', value))


def test_a_payload_shows_no_secret() -> None:
    assert "Atza" not in repr(RENEWED)
    assert "Atzr" not in repr(RENEWED)
    assert "ASIA" not in repr(CREDENTIALS)
