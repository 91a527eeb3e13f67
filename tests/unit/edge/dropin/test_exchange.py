"""The fields of an exchange that an SDK sends, as a form or as JSON."""

import json

import pytest
from sellergate_edge.dropin.exchange import MAX_BODY_BYTES, Refused, _fields, read_scopes

FORM, JSON = "application/x-www-form-urlencoded", "application/json; charset=utf-8"


def test_a_form_and_a_json_object_have_the_same_fields() -> None:
    wanted = {"grant_type": "refresh_token", "client_id": "sgc_1", "scope": ""}
    assert _fields(FORM, b"grant_type=refresh_token&client_id=sgc_1&scope=") == wanted
    assert _fields(JSON, json.dumps(wanted | {"refresh_token": None}).encode()) == wanted


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b"[" * MAX_BODY_BYTES, b'{"a":' * 3_000 + b"1" + b"}" * 100, b'{"a": ' + b"9" * 5_000 + b"}"],
)
def test_a_body_that_is_not_a_json_object_is_refused_as_by_lwa(body: bytes) -> None:
    with pytest.raises(Refused, match="invalid_request") as caught:
        _fields("application/json", body)
    assert caught.value.response.status_code == 400


def test_several_known_scopes_are_separated_by_spaces() -> None:
    known = {"sellingpartnerapi::notifications", "sellingpartnerapi::client_credential:rotation"}
    both = "sellingpartnerapi::client_credential:rotation sellingpartnerapi::notifications"
    assert read_scopes(" ".join(reversed(both.split())), known) == both
    assert read_scopes("sellingpartnerapi::notifications", known) == "sellingpartnerapi::notifications"
    for scope in (" ", "profile", f"{both} profile"):
        with pytest.raises(Refused, match="invalid_scope"):
            read_scopes(scope, known)
