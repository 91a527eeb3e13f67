"""Enforcement of the protos' shape rules: all invalid fields are named at once."""

import pytest
from google.protobuf.duration_pb2 import Duration
from sellergate.account.v1 import account_secrets_service_pb2 as secrets
from sellergate.account.v1 import account_service_pb2 as account
from sellergate.account.v1 import application_pb2
from sellergate.account.v1 import drop_in_client_service_pb2 as clients
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2
from sellergate.token.v1 import token_service_pb2 as token
from sellergate_common.errors import InvalidRequest
from sellergate_common.rpc.validation import validate

GOOD = {"user_id": "u", "amazon_seller_id": "A1B2C3D4E5", "marketplace": "US"}


def bad_fields(message: object) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        validate(message)  # type: ignore[arg-type]
    return [violation.field for violation in caught.value.violations]


def test_a_good_request_passes() -> None:
    validate(account.UpsertAccountRequest(**GOOD))
    validate(account.ListAccountsRequest())
    validate(token.GetAccessTokenRequest(account_id="x", min_lifetime=Duration(seconds=1)))


def test_every_bad_field_is_named() -> None:
    request = account.UpsertAccountRequest(
        amazon_seller_id="lower", marketplace="US\x00", region="nowhere", marketplace_ids=["x" * 33]
    )
    assert bad_fields(request) == ["user_id", "amazon_seller_id", "marketplace", "marketplace_ids[0]", "region"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", "x" * 129),
        ("user_id", "a\nb"),
        ("user_id", "a\x7fb"),
        ("lwa_client_secret", "x" * 2049),
        ("refresh_token", "x" * 1_000_000),
        ("iam_role_arn", "arn:aws:iam::12345:role/x"),
        ("iam_role_arn", "arn:aws:iam::123456789012:user/x"),
        ("iam_role_arn", "arn:aws:iam::123456789012:role/x'; DROP TABLE accounts; --"),
        ("iam_role_arn", "arn:aws:iam::123456789012:role/path/"),
        ("iam_role_arn", f"arn:aws{'-x' * 1000}:iam::123456789012:role/x"),
        ("region", f"aa-{'b' * 100}-1"),
        ("marketplace_ids", ["ATVPDKIKX0DER"] * 33),
    ],
)
def test_one_bad_field(field: str, value: object) -> None:
    request = account.UpsertAccountRequest(**{**GOOD, field: value})
    assert bad_fields(request) == [field]


def test_messages_inside_messages_are_checked_and_their_path_is_named() -> None:
    page = gateway_service_pb2.StreamPagesRequest(
        call=call_pb2.CallRequest(account_id="a", method="BREW", headers=[call_pb2.Header(name="bad name")])
    )
    assert bad_fields(page) == ["call.method", "call.headers[0].name"]
    assert bad_fields(gateway_service_pb2.StreamPagesRequest()) == ["call"]
    assert bad_fields(token.GetAccessTokenRequest(credentials=token.InlineCredentials())) == [
        "credentials.client_id",
        "credentials.client_secret",
        "credentials.refresh_token",
    ]


def test_many_faults_are_truncated() -> None:
    headers = [call_pb2.Header(name="bad name")] * 100
    assert len(bad_fields(call_pb2.CallRequest(account_id="a", headers=headers))) == 50


def test_numbers_have_limits() -> None:
    for revision in (0, -1):
        mark = secrets.MarkAuthorizationRevokedRequest(account_id="a", expected_revision=revision)
        assert bad_fields(mark) == ["expected_revision"]
    validate(secrets.MarkAuthorizationRevokedRequest(account_id="a", expected_revision=2**63 - 1))
    assert bad_fields(account.ListAccountsRequest(page_size=-1)) == ["page_size"]


@pytest.mark.parametrize(
    "character",
    "\x00\n\x1b\x7f\x85\xad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\ufeff\ufffb\U000e0041",
)
def test_invisible_characters_are_refused_in_ids_and_names(character: str) -> None:
    text = f"a{character}b"
    assert bad_fields(account.UpsertAccountRequest(**{**GOOD, "user_id": text})) == ["user_id"]
    assert bad_fields(clients.CreateClientRequest(user_id="u", account_ids=["a"], name=text)) == ["name"]


def test_joiners_are_letters_of_a_name_and_faults_of_an_id() -> None:
    for text in ("می\u200cروم", "क्\u200dष", "👩\u200d👧"):
        validate(clients.CreateClientRequest(user_id="u", account_ids=["a"], name=text))
        assert bad_fields(account.UpsertAccountRequest(**{**GOOD, "user_id": text})) == ["user_id"]


@pytest.mark.parametrize("name", ["Müller & Söhne", "متجر", "חנות", "ร้านค้า", "商店 ✨", "Ελλάδα", "०१२"])
def test_names_are_written_in_any_language(name: str) -> None:
    validate(clients.CreateClientRequest(user_id="u", account_ids=["a"], name=name))


def test_every_invalid_item_of_a_list_is_named_by_its_index() -> None:
    request = clients.CreateClientRequest(user_id="u", account_ids=["a", "b\0", "c", "d" * 65])
    assert bad_fields(request) == ["account_ids[1]", "account_ids[3]"]


def test_an_id_of_amazons_application_has_amazons_shape() -> None:
    validate(application_pb2.Application(spapi_application_id="amzn1.sp.solution.0a-b_c"))
    validate(application_pb2.Application(spapi_application_id="amzn1.sellerapps.app.1"))
    for text in ("x' OR 1=1", "amzn1.", "amzn2.sp.solution.1", "amzn1.sp.solution.1\n"):
        assert bad_fields(application_pb2.Application(spapi_application_id=text)) == ["spapi_application_id"]
