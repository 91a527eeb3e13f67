"""Each fault from the client's side, and whether a write was executed before it."""

import base64
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.contract.simulator.simulator_process import Client, Simulator, running_simulator

ACCOUNT = "/sellers/v1/account"
CREATE = "/reports/2021-06-30/reports"
CREATE_NAME = "reports/2021-06-30/createReport"


@pytest.fixture(scope="module")
def started() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def client(started: Simulator) -> Client:
    started.post_control("reset")
    return started.client()


def write(client: Client, **options: Any) -> httpx.Response:
    body = {"reportType": "GET_FLAT_FILE_OPEN_LISTINGS_DATA", "marketplaceIds": ["ATVPDKIKX0DER"]}
    return client.call("POST", CREATE, json=body, **options)


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "text"),
    [
        ("429", 429, "application/json", "QuotaExceeded"),
        ("429_no_header", 429, "application/json", "QuotaExceeded"),
        ("500_json", 500, "application/json", "InternalFailure"),
        ("500_html", 500, "text/html", "Internal Server Error"),
        ("503_json", 503, "application/json", "ServiceUnavailable"),
        ("503_html", 503, "text/html", "Service Temporarily Unavailable"),
        ("403_expired", 403, "application/json", "The access token you provided has expired."),
    ],
)
def test_responses_in_amazons_shapes(client: Client, kind: str, status: int, content_type: str, text: str) -> None:
    client.simulator.post_control("faults", {"kind": kind, "count": 1})
    response = client.call("GET", ACCOUNT)
    assert response.status_code == status
    assert response.headers["content-type"].startswith(content_type)
    assert text in response.text
    assert response.headers["x-amzn-requestid"]
    assert ("x-amzn-ratelimit-limit" in response.headers) == (kind == "429")
    assert client.call("GET", ACCOUNT).status_code == 200
    assert client.simulator.counters()["faults_given"] == 1
    assert client.simulator.counters()["throttled"] == (status == 429)


def test_a_429_may_have_a_retry_time(client: Client) -> None:
    client.simulator.post_control("faults", {"kind": "429_no_header", "count": 1, "retry_after_seconds": 7})
    assert client.call("GET", ACCOUNT).headers["retry-after"] == "7"


def test_a_reset_breaks_the_connection(client: Client) -> None:
    token = client.access_token()
    client.simulator.post_control("faults", {"kind": "reset", "count": 1})
    with pytest.raises(httpx.ReadError):
        client.call("GET", ACCOUNT, token=token)
    assert client.call("GET", ACCOUNT, token=token).status_code == 200


def test_a_truncated_body_ends_early(client: Client) -> None:
    token = client.access_token()
    client.simulator.post_control("faults", {"kind": "truncate", "count": 1})
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        client.call("GET", ACCOUNT, token=token)
    assert client.call("GET", ACCOUNT, token=token).status_code == 200


def test_a_slow_response_arrives_complete(client: Client) -> None:
    token = client.access_token()
    client.simulator.post_control("faults", {"kind": "slow", "count": 1, "delay_seconds": 0.3})
    started = time.monotonic()
    assert client.call("GET", ACCOUNT, token=token).status_code == 200
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("kind", ["500_json", "503_html", "reset", "truncate", "slow"])
@pytest.mark.parametrize("executed", [True, False])
def test_whether_a_write_was_executed(client: Client, kind: str, executed: bool) -> None:
    fault = {"kind": kind, "operation": "createReport", "count": 1, "executed": executed, "delay_seconds": 0.4}
    client.simulator.post_control("faults", fault)
    token = client.access_token()
    with suppress(httpx.TransportError):
        write(client, token=token, timeout=0.1 if kind == "slow" else 5)
    if kind == "slow":
        time.sleep(0.5)
    count = client.simulator.operation(CREATE_NAME)
    assert (count["calls"], count["executions"]) == (1, int(executed))
    listed = client.call("GET", f"{CREATE}?reportTypes=GET_FLAT_FILE_OPEN_LISTINGS_DATA", token=token)
    assert len(listed.json()["reports"]) == int(executed)


def test_a_fault_affects_only_its_operation_and_counts_down(client: Client) -> None:
    client.simulator.post_control("faults", {"kind": "503_json", "operation": CREATE_NAME, "count": 2})
    assert client.call("GET", ACCOUNT).status_code == 200
    assert [write(client).status_code for _ in range(3)] == [503, 503, 202]
    assert client.simulator.control("GET", "faults").json() == {"faults": []}


def test_a_fault_without_a_count_stays_until_removed(client: Client) -> None:
    fault = client.simulator.post_control("faults", {"kind": "500_json"})
    assert {client.call("GET", ACCOUNT).status_code for _ in range(3)} == {500}
    assert client.simulator.control("GET", "faults").json()["faults"] == [fault]
    assert client.simulator.control("DELETE", f"faults/{fault['id']}").status_code == 200
    assert client.simulator.control("DELETE", f"faults/{fault['id']}").status_code == 404
    assert client.call("GET", ACCOUNT).status_code == 200


def test_all_faults_are_removed_at_once(client: Client) -> None:
    for kind in ("500_json", "lwa_500"):
        client.simulator.post_control("faults", {"kind": kind})
    assert client.simulator.control("DELETE", "faults").json() == {"removed": 2}
    assert client.exchange().status_code == 200


def test_probability_lets_some_pass(client: Client) -> None:
    client.simulator.post_control("rates", {"scale": 1, "burst_scale": 100})
    client.simulator.post_control("faults", {"kind": "500_json", "probability": 0.5})
    token = client.access_token()
    statuses = {client.call("GET", ACCOUNT, token=token).status_code for _ in range(60)}
    assert statuses == {200, 500}


def test_lwa_faults(client: Client) -> None:
    client.simulator.post_control("faults", {"kind": "lwa_500", "count": 1})
    client.simulator.post_control("faults", {"kind": "lwa_html", "count": 1})
    client.simulator.post_control("faults", {"kind": "lwa_slow", "count": 1, "delay_seconds": 0.2})
    broken, page = client.exchange(), client.exchange()
    assert (broken.status_code, broken.json()["error"]) == (500, "server_error")
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (503, "text/html")
    started = time.monotonic()
    assert client.exchange().status_code == 200
    assert time.monotonic() - started >= 0.2
    assert client.simulator.counters()["lwa"]["exchanges"] == 1


def test_a_fault_of_lwa_may_be_for_one_grant_type(client: Client) -> None:
    client.simulator.post_control("faults", {"kind": "lwa_500", "operation": "authorization_code", "count": 1})
    assert client.exchange().status_code == 200
    client.simulator.post_control("faults", {"kind": "lwa_500", "operation": "refresh_token", "count": 1})
    assert [client.exchange().status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize(
    ("kind", "status", "begins"),
    [
        ("lwa_429", 429, b'{"error":"slow_down"'),
        ("lwa_invalid_request", 400, b'{"error":"invalid_request"'),
        ("lwa_access_denied", 403, b'{"error":"access_denied"'),
        ("lwa_text_life", 200, b'{"access_token": "Atza|odd"'),
        ("lwa_odd_types", 200, b'{"access_token": ["Atza|odd"]'),
        ("lwa_odd_token", 200, b'{"access_token": "Atza|odd\\r\\nX-Odd: 1"'),
        ("lwa_surrogate", 200, b'{"access_token": "Atza|\\ud800"'),
        ("lwa_charset", 200, b"\xff\xfe{"),
        ("lwa_deep", 200, b"[[[["),
        ("lwa_large", 200, b'{"access_token": "Atza|odd"'),
    ],
)
def test_odd_responses_of_lwa(client: Client, kind: str, status: int, begins: bytes) -> None:
    client.simulator.post_control("faults", {"kind": kind, "count": 1, "retry_after_seconds": 7})
    response = client.exchange()
    assert (response.status_code, response.headers["retry-after"]) == (status, "7")
    assert response.content.startswith(begins)
    assert (len(response.content) > 8_000_000) == (kind == "lwa_large")
    assert client.exchange().status_code == 200


@pytest.mark.parametrize(("kind", "path"), [("lwa_silent", "/auth/o2/token"), ("sts_silent", "/")])
def test_a_silent_connection_ends_with_its_client(client: Client, kind: str, path: str) -> None:
    client.simulator.post_control("faults", {"kind": kind, "count": 1})
    with pytest.raises(httpx.ReadTimeout):
        client.simulator.http.post(f"{client.simulator.main}{path}", data={"a": "b"}, timeout=0.2)
    assert client.simulator.counters()["lwa"]["exchanges"] == 0
    assert client.exchange().status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "contains"),
    [("sts_html", 503, b"<html>"), ("sts_large", 400, b"Throttling"), ("sts_slow", 403, b"")],
)
def test_sts_faults(client: Client, kind: str, status: int, contains: bytes) -> None:
    client.simulator.post_control("faults", {"kind": kind, "count": 1, "delay_seconds": 0.2})
    response = client.simulator.http.post(f"{client.simulator.main}/", data={"Action": "AssumeRole"})
    assert response.status_code == status
    assert contains in response.content
    assert (len(response.content) > 8_000_000) == (kind == "sts_large")


@pytest.mark.parametrize("kind", ["given", "lwa_given", "sts_given"])
def test_a_response_is_given_byte_for_byte(client: Client, kind: str) -> None:
    token = client.access_token()
    body = b"\xff[" * 1000
    given = {"status": 403, "headers": {"Content-Type": "text/odd"}, "body": base64.b64encode(body).decode()}
    client.simulator.post_control("faults", {"kind": kind, "count": 1, "response": given})
    if kind == "given":
        response = client.call("GET", "/sellers/v1/account", token=token)
    elif kind == "lwa_given":
        response = client.exchange()
    else:
        response = client.simulator.http.post(f"{client.simulator.main}/", data={"Action": "AssumeRole"})
    assert (response.status_code, response.headers["content-type"], response.content) == (403, "text/odd", body)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"kind": "lwa_given"}, "response"),
        ({"kind": "slow", "response": {}}, "response"),
        ({"kind": "given", "response": {"status": 99}}, "response.status"),
        ({"kind": "418"}, "kind"),
        ({}, "kind"),
        ({"kind": "slow", "count": 0}, "count"),
        ({"kind": "slow", "probability": 1.5}, "probability"),
        ({"kind": "slow", "delay_seconds": -1}, "delay_seconds"),
        ({"kind": "slow", "operation": "getOrder"}, "operation"),
        ({"kind": "lwa_500", "operation": "searchOrders"}, "operation"),
        ({"kind": "slow", "executd": True}, "executd"),
    ],
)
def test_a_wrong_fault_is_refused_by_field(client: Client, fault: dict[str, Any], named: str) -> None:
    response = client.simulator.control("POST", "faults", fault)
    assert response.status_code == 400
    assert response.json()["error"].startswith(f"{named}: ")
