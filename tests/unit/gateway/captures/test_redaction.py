"""The redaction of exchanges: no secrets, personal data or addresses that give access."""

import gc
import json

import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_gateway.captures import redaction
from sellergate_gateway.captures.redaction import BODY_BYTES, LONGEST_BODY, Exchange, build_exchange, redact_exchange
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse

from tests.fakes.cpu_time import cpu_time

CATALOGUE = Catalogue.load()
HARMLESS = "sellers/v1/getMarketplaceParticipations"
HEADERS = (
    ("x-amz-access-token", "Atza|a-token"),
    ("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/…, Signature=0123abcd"),
    ("x-amz-security-token", "a-session-token"),
    ("Content-Type", "application/json"),
    ("X-Own", "a-header-of-the-caller"),
)


def seen(name: str = HARMLESS, body: bytes = b"", response: bytes = b"") -> Exchange:
    operation = CATALOGUE.get(name)
    assert operation is not None
    url = "https://sellingpartnerapi-na.amazon.com/a/value-of-the-path?NextToken=value-of-the-query&b=&b=2"
    request = AmazonRequest("GET", url, HEADERS, body, name)
    headers = (("x-amzn-RequestId", "r-1"), ("Set-Cookie", "a-cookie"))
    amazon_response = AmazonResponse(200, headers, response)
    return redact_exchange(operation, request, amazon_response, start_time=1.0, seconds=0.5, request_id="request-1")


def test_only_listed_headers_and_a_path_template_are_shown() -> None:
    found = seen(response=b'{"payload":[]}')
    assert found.request_headers == (("Content-Type", "application/json"),)
    assert found.response_headers == (("x-amzn-RequestId", "r-1"),)
    assert found.path == "/sellers/v1/marketplaceParticipations"
    assert found.query_names == ("NextToken", "b")
    assert found.response_body == '{"payload":[]}'
    for secret in ("Atza", "AKIA", "0123abcd", "session", "of-the-caller", "cookie", "value-of"):
        assert secret not in repr(found)


@pytest.mark.parametrize(
    ("status", "shown"), [(200, ""), (399, ""), (400, '{"code":"InvalidInput"}'), (503, '{"code":"InvalidInput"}')]
)
def test_a_capture_without_bodies_keeps_only_that_of_an_error(status: int, shown: str) -> None:
    operation = CATALOGUE.get(HARMLESS)
    assert operation is not None
    request = AmazonRequest("GET", "https://na.test/x", HEADERS, b'{"sent": 1}', HARMLESS)
    response = AmazonResponse(status, (), b'{"code":"InvalidInput"}')
    given = {"start_time": 1.0, "seconds": 0.5, "request_id": "r1"}
    brief = redact_exchange(operation, request, response, with_bodies=False, **given)
    assert (brief.request_body, brief.response_body, brief.operation) == ("", shown, HARMLESS)
    assert redact_exchange(operation, request, response, **given).without_bodies() == brief


def test_bodies_are_redacted_before_they_are_cut() -> None:
    secrets = {"client_secret": "s3cr3t", "note": "it was Atzr|refresh-token", "deep": [{"accessToken": "anything"}]}
    address = {"url": "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=abcdef&X-Amz-Expires=300"}
    found = seen(body=json.dumps(secrets).encode(), response=json.dumps(address | {"more": "é" * 5000}).encode())
    for secret in ("s3cr3t", "refresh-token", "anything", "abcdef", "Expires"):
        assert secret not in repr(found)
    assert "https://bucket.s3.amazonaws.com/key?[hidden]" in found.response_body
    cut, _, note = found.response_body.partition(" [… of ")
    assert BODY_BYTES - 1 <= len(cut.encode()) <= BODY_BYTES
    assert note


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", ""),
        (b"\x1f\x8b\x00", "[3 bytes, not JSON]"),
        (b'{"a":1', "[6 bytes, not JSON]"),
        (b'"' + b"x" * 1024 * 1024 + b'"', "[1048578 bytes, too long to be redacted]"),
    ],
)
def test_a_body_that_cannot_be_redacted_is_not_shown(body: bytes, shown: str) -> None:
    assert seen(response=body).response_body == shown


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
def test_personal_data_tokens_and_documents_are_withheld(name: str) -> None:
    found = seen(name, body=b'{"a":"asked"}', response=b'{"a":"answered"}')
    assert "asked" not in found.request_body
    assert found.response_body == "[16 bytes, withheld: personal data, tokens or documents]"


DEEP = b"[" * 50_000 + b"]" * 50_000
HALF = b'{"a": "\\ud800 and more", "\\udfff": 1}'


@pytest.mark.parametrize("body", [HALF, DEEP, b"[" * 100_000, b'{"a":' * 30_000, b"\xff\xfe", b'"\xed\xa0\x80"'])
def test_an_exchange_is_shown_with_any_body(body: bytes) -> None:
    found = seen(body=body, response=body)
    assert (found.method, found.status) == ("GET", 200)
    for text in (found.request_body, found.response_body):
        assert text
        text.encode()  # the stream to the operator is UTF-8
    assert "and more" in seen(response=HALF).response_body


def test_an_exchange_that_cannot_be_redacted_is_reported_without_content(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(redaction, "redact", fails)
    found = seen(body=b'{"a": 1}', response=b'{"a": 1}')
    assert (found.path, found.status, found.request_id) == ("/sellers/v1/marketplaceParticipations", 200, "request-1")
    assert (found.request_body, found.response_body) == ("", "[cannot be shown: RecursionError]")


@pytest.mark.parametrize(
    "attack",
    [
        json.dumps({"a": "eyJ-" * 12_000}).encode(),
        json.dumps({"a": "http://" * 8_000}).encode(),
        json.dumps({"a": "Atz.sprdt|" * 12_000}).encode(),
        json.dumps({"a": "AKIA" + "A" * 40_000 + "_"}).encode(),
        json.dumps(["eyJa.b" * 4] * 3_000).encode(),
        b'{"a":' * 20_000,
    ],
)
def test_redaction_takes_time_in_proportion_to_the_size(attack: bytes) -> None:
    took = []
    for _ in range(5):
        with cpu_time() as spent:
            seen(body=attack, response=attack)
        took.append(spent.seconds)
    assert min(took) < 0.2, "it was ten seconds for 48 kB"


def test_a_long_query_is_shown_in_part() -> None:
    operation = CATALOGUE.get(HARMLESS)
    assert operation is not None
    url = "https://na.test/x?" + "&".join(f"{'eyJ-' * 100}{number}=1" for number in range(500))
    request = AmazonRequest("GET", url, (), b"", HARMLESS)
    found = redact_exchange(operation, request, None, start_time=1.0, seconds=0.5, request_id="r")
    assert 0 < len(found.query_names) <= 256
    assert max(map(len, found.query_names)) <= 128


def test_waiting_exchanges_hold_no_body_that_is_not_shown() -> None:
    for name, size in (("orders/v0/getOrders", 100), (HARMLESS, LONGEST_BODY + 1)):
        operation = CATALOGUE.get(name)
        assert operation is not None
        body = b"x" * size
        request, response = AmazonRequest("POST", "https://na.test/x", (), body, name), AmazonResponse(200, (), body)
        look = build_exchange(operation, request, response, start_time=1.0, seconds=0.5, request_id="r")
        assert not [kept for kept in gc.get_referents(look.args[0]) if kept is body]  # type: ignore[attr-defined]
        assert b"xxx" not in repr(look).encode()
