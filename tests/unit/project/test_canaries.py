"""The hunt for leaked secrets finds a canary in each form; tests/system/test_leaks.py hunts in a running suite."""

import base64
import json
from urllib.parse import quote

import pytest

from leaks.canaries import Canary, search

SECRET = 'k"/ü' + "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "form",
    [
        SECRET.encode(),
        json.dumps({"a": SECRET}).encode(),
        quote(SECRET, safe="").encode(),
        SECRET.encode().hex().encode(),
        base64.b64encode(b"user:" + SECRET.encode() + b"!"),
        base64.urlsafe_b64encode(b"x" + SECRET.encode()),
        base64.b64encode(b"xx" + SECRET.encode()),
    ],
)
def test_a_canary_is_found_in_each_form(form: bytes) -> None:
    (leak,) = search({"log": b"before " + form + b" after", "other": b"nothing"}, [Canary("a key", SECRET)])
    assert (leak.place, leak.kind) == ("log", "a key")


def test_a_token_is_found_by_its_shape_and_a_report_repeats_no_secret() -> None:
    token = "Atza|" + "x" * 60
    (leak,) = search({"log": token.encode()}, [])
    assert (leak.place, len(leak.begins)) == ("log", 8)
    assert search({"log": b"nothing"}, [Canary("a key", SECRET)]) == []
