"""What an operator sees of an exchange with Amazon: no secret, no personal data, no address that opens something."""

import json

import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_gateway.captures.redaction import BODY_BYTES, Exchange, shown, shows_bodies
from sellergate_gateway.spapi.http import AmazonAnswer, AmazonRequest

CATALOGUE = Catalogue.load()
HARMLESS = "sellers/v1/getMarketplaceParticipations"
HEADERS = (
    ("x-amz-access-token", "Atza|a-token"),
    ("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/…, Signature=0123abcd"),
    ("x-amz-security-token", "a-session-token"),
    ("Content-Type", "application/json"),
    ("X-Own", "a-header-of-the-caller"),
)


def seen(name: str = HARMLESS, body: bytes = b"", answer: bytes = b"") -> Exchange:
    operation = CATALOGUE.get(name)
    assert operation is not None
    url = "https://sellingpartnerapi-na.amazon.com/a/value-of-the-path?NextToken=value-of-the-query&b=&b=2"
    request = AmazonRequest("GET", url, HEADERS, body, name)
    headers = (("x-amzn-RequestId", "r-1"), ("Set-Cookie", "a-cookie"))
    answered = AmazonAnswer(200, headers, answer)
    return shown(operation, request, answered, start_time=1.0, seconds=0.5, request_id="request-1")


def test_headers_are_those_of_a_list_and_the_path_is_a_template() -> None:
    found = seen(answer=b'{"payload":[]}')
    assert found.request_headers == (("Content-Type", "application/json"),)
    assert found.response_headers == (("x-amzn-RequestId", "r-1"),)
    assert found.path == "/sellers/v1/marketplaceParticipations"
    assert found.query_names == ("NextToken", "b")
    assert found.response_body == '{"payload":[]}'
    for secret in ("Atza", "AKIA", "0123abcd", "session", "of-the-caller", "cookie", "value-of"):
        assert secret not in repr(found)


def test_bodies_are_looked_through_before_they_are_cut() -> None:
    secrets = {"client_secret": "s3cr3t", "note": "it was Atzr|refresh-token", "deep": [{"accessToken": "anything"}]}
    address = {"url": "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=abcdef&X-Amz-Expires=300"}
    found = seen(body=json.dumps(secrets).encode(), answer=json.dumps(address | {"more": "é" * 5000}).encode())
    for secret in ("s3cr3t", "refresh-token", "anything", "abcdef", "Expires"):
        assert secret not in repr(found)
    assert "https://bucket.s3.amazonaws.com/key?[hidden]" in found.response_body
    cut, _, note = found.response_body.partition(" [… of ")
    assert BODY_BYTES - 1 <= len(cut.encode()) <= BODY_BYTES
    assert note


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", ""),
        (b"\x1f\x8b\x00", "[3 bytes, no JSON]"),
        (b'{"a":1', "[6 bytes, no JSON]"),
        (b'"' + b"x" * 1024 * 1024 + b'"', "[1048578 bytes, too long to be looked through]"),
    ],
)
def test_what_cannot_be_looked_through_is_not_shown(body: bytes, told: str) -> None:
    assert seen(answer=body).response_body == told


@pytest.mark.parametrize(
    "name",
    [
        "tokens/2021-03-01/createRestrictedDataToken",
        "orders/v0/getOrders",
        "orders/v0/getOrderAddress",
        "reports/2021-06-30/getReportDocument",
        "feeds/2021-06-30/createFeedDocument",
        "uploads/2020-11-01/createUploadDestinationForResource",
    ],
)
def test_personal_data_tokens_and_documents_are_withheld_whatever_they_are(name: str) -> None:
    found = seen(name, body=b'{"a":"asked"}', answer=b'{"a":"answered"}')
    assert "asked" not in found.request_body
    assert found.response_body == "[16 bytes, withheld: personal data, tokens or documents]"


def test_every_restricted_operation_is_among_them() -> None:
    assert not [one.name for one in CATALOGUE if one.restricted and shows_bodies(one)]
    assert sum(shows_bodies(one) for one in CATALOGUE) > len(CATALOGUE) // 2
