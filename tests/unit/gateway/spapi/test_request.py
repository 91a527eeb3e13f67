"""Callers' requests: sent exactly as given, or refused by field."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sellergate_amazon.operations import Catalogue
from sellergate_common.errors import InvalidRequest, NotFound, Reason
from sellergate_gateway.spapi.request import SpApiCall, Target, resolve

CATALOGUE = Catalogue.load()


def target(**given: object) -> Target:
    given = {"method": "GET", "path": "/orders/v0/orders"} | given if "operation" not in given else given
    return resolve(SpApiCall("a", **given), CATALOGUE)  # type: ignore[arg-type]


def refused(**given: object) -> str:
    with pytest.raises(InvalidRequest) as caught:
        target(**given)
    assert caught.value.violations
    return caught.value.violations[0].field


def test_a_path_finds_its_operation_and_stays_as_it_is() -> None:
    found = target(path="/orders/v0/orders/90%2D1/orderItems", raw_query="a=%2f&b&c=&a=1,2")
    assert found.operation is not None
    assert found.operation.name == "orders/v0/getOrderItems"
    assert found.path_and_query == "/orders/v0/orders/90%2D1/orderItems?a=%2f&b&c=&a=1,2"


def test_an_unknown_path_is_accepted() -> None:
    assert target(path="/new/2027-01-01/things").operation is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "orders",
        "//host/x",
        "https://host/x",
        "/a?b=1",
        "/a#b",
        "/a b",
        "/a\n",
        "/\u00fc",
        "/a%0d%0aX: y",
        "/a%00",
        "/a%7f",
        "/%",
        "/%2",
        "/%zz",
        "/a/./b",
        "/a/../b",
        "/..",
        "/a/.",
        "/a/%2e/b",
        "/a/%2E%2e",
        "/a/.%2e/b",
        "/a/..%2fb",
        "/a/b%2f..%2Fc",
        "/a/b%5c..%5cc",
        "/a\\..\\b",
        "/a@b\\c",
    ],
)
def test_paths_outside_of_sp_api_are_refused(path: str) -> None:
    assert refused(path=path) == "path"


@pytest.mark.parametrize(
    "path", ["/a..b", "/...", "/a/%2e%2e%2e", "/a//b", "/a/", "/@:!$&'()*+,;=~", "/%ff", "/%252e%252e"]
)
def test_harmless_paths_with_dots_are_accepted(path: str) -> None:
    assert target(path=path).path == path


@given(st.text(max_size=60))
def test_any_path_is_unchanged_or_refused(path: str) -> None:
    try:
        assert target(path=path).path_and_query == path
    except InvalidRequest:
        return
    assert path.startswith("/")
    assert not {".", ".."} & set(unquote(path).replace("\\", "/").split("/"))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.none() | st.text(max_size=8)), max_size=5))
def test_the_encoding_of_a_query_in_parts_is_reversible(parts: list[tuple[str, str | None]]) -> None:
    query = target(query=tuple(parts)).query
    read = [piece.partition("=") for piece in query.split("&")] if query else []
    assert [(unquote(name), unquote(value) if mark else None) for name, mark, value in read] == parts
    assert query.isascii()


@pytest.mark.parametrize("query", ["a b", "a#b", "a\n", "\u00fc=1", "a=%2", "a=%zz"])
def test_invalid_raw_queries_are_refused(query: str) -> None:
    assert refused(raw_query=query) == "raw_query"


@pytest.mark.parametrize(
    "query", ["", "a", "a=", "=a", "&&", "a=1&a=1", "t=2026-01-01T00:00:00Z", 'q={"a":[1]}', "a=?/"]
)
def test_raw_queries_are_unchanged(query: str) -> None:
    assert target(raw_query=query).query == query


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "x-amz-access-token",
        "X-Amz-Anything",
        "Host",
        "Connection",
        "Content-Length",
        "content-type",
        "Transfer-Encoding",
        "User-Agent",
        "Upgrade",
        "Cookie",
        "TE",
    ],
)
def test_headers_of_the_gateway_are_refused_by_index(name: str) -> None:
    assert refused(headers=(("accept", "x"), (name, "y"))) == "headers[1].name"


def test_headers_that_sp_api_takes_pass() -> None:
    headers = (("Accept-Encoding", "gzip"), ("x-amzn-idempotency-token", "1"), ("x-amzn-idempotency-token", "2"))
    assert target(headers=headers).headers == headers


@pytest.mark.parametrize("value", ["é", "x\u00c3\u00a9", "日", "a\r\nb", "\x00", "\x7f"])
def test_values_that_http_cannot_carry_are_refused_by_field(value: str) -> None:
    assert refused(headers=(("accept", "x"), ("If-Match", value))) == "headers[1].value"
    path = "/reports/2021-06-30/reports"
    assert refused(method="POST", path=path, body=b"x", content_type=f"text/{value}") == "content_type"
    assert target(headers=(("X-Forwarded-For", value),)).headers == (), "a dropped header is not checked"


def test_headers_of_proxies_and_browsers_do_not_reach_amazon() -> None:
    """An identity-aware proxy adds headers with the user; a method override would change the call."""
    added = (
        "X-Goog-IAP-JWT-Assertion",
        "X-Goog-Authenticated-User-Email",
        "x-amzn-oidc-data",
        "x-amzn-oidc-accesstoken",
        "x-amzn-mtls-clientcert",
        "X-Amzn-Trace-Id",
        "Cf-Access-Jwt-Assertion",
        "X-Auth-Request-Email",
        "X-MS-CLIENT-PRINCIPAL",
        "X-Api-Key",
        "X-HTTP-Method-Override",
        "X-Forwarded-For",
        "Forwarded",
        "X-Request-Id",
        "traceparent",
        "Sec-Fetch-Site",
        "Origin",
        "Referer",
        "DNT",
        "Baggage",
    )
    headers = (*((name, "a secret") for name in added), ("If-Match", '"1"'))
    assert target(headers=headers).headers == (("If-Match", '"1"'),)


def test_a_body_has_a_type_and_a_get_has_no_body() -> None:
    path = "/reports/2021-06-30/reports"
    assert target(method="POST", path=path, body=b"{}").headers == (("content-type", "application/json"),)
    assert target(method="POST", path=path, body=b"x", content_type="text/xml").headers == (
        ("content-type", "text/xml"),
    )
    assert target(method="POST", path=path).headers == ()
    assert refused(body=b"{}") == "body"
    assert refused(method="HEAD", body=b"{}") == "body"
    assert refused(method="") == "method"


def test_an_operation_is_expanded_with_its_parameters() -> None:
    found = target(operation="orders/v0/getOrder", path_params={"orderId": "a/b \u00fc"})
    assert (found.method, found.path) == ("GET", "/orders/v0/orders/a%2Fb%20%C3%BC")
    assert refused(operation="orders/v0/getOrder") == "path_params"
    assert refused(operation="orders/v0/getOrder", path_params={"orderId": ".."}) == "path_params"
    assert refused(operation="orders/v0/getOrder", path="/x", path_params={"orderId": "1"}) == "path"
    with pytest.raises(NotFound) as caught:
        target(operation="no/such/thing")
    assert caught.value.reason is Reason.OPERATION_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "idempotent"),
    [
        ("GET", "/x", True),
        ("PUT", "/x", True),
        ("DELETE", "/x", True),
        ("POST", "/x", False),
        ("PATCH", "/x", False),
        ("POST", "/reports/2021-06-30/reports", False),
    ],
)
def test_calls_that_may_be_sent_twice(method: str, path: str, idempotent: bool) -> None:
    assert target(method=method, path=path).idempotent is idempotent
