"""Reports and feeds from creation to their documents behind presigned URLs."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract.simulator.simulator_process import GERMANY, JAPAN, US, Client, Simulator, running_simulator

REPORTS, FEEDS = "/reports/2021-06-30", "/feeds/2021-06-30"
LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        simulator.post_control("rates", {"scale": 10_000, "burst_scale": 10})
        simulator.post_control("processing", {"step_seconds": 0.1})
        yield simulator


@pytest.fixture
def client(amazon: Simulator) -> Client:
    return amazon.client(US, JAPAN)


def create(
    client: Client, report_type: str = LISTINGS, marketplace: str = US, address: str = "na", **options: str
) -> str:
    body = {"reportType": report_type, "marketplaceIds": [marketplace], "reportOptions": options}
    response = client.call("POST", f"{REPORTS}/reports", json=body, address=address)
    assert response.status_code == 202
    return str(response.json()["reportId"])


def finished(client: Client, path: str, address: str = "na") -> dict[str, Any]:
    token, deadline = client.access_token(), time.monotonic() + 5
    while time.monotonic() < deadline:
        document = client.call("GET", path, token=token, address=address).raise_for_status().json()
        if document["processingStatus"] not in {"IN_QUEUE", "IN_PROGRESS"}:
            return dict(document)
        time.sleep(0.02)
    raise AssertionError("the job did not end")


def document_of(client: Client, report_id: str, address: str = "na", query: str = "") -> dict[str, Any]:
    report = finished(client, f"{REPORTS}/reports/{report_id}", address)
    path = f"{REPORTS}/documents/{report['reportDocumentId']}{query}"
    return dict(client.call("GET", path, address=address).raise_for_status().json())


def fetch(client: Client, url: str, **options: Any) -> httpx.Response:
    return client.simulator.http.get(url, **options)


def test_a_report_passes_through_its_states(client: Client) -> None:
    token = client.access_token()
    # Long enough for a call within each state, also on a busy machine.
    client.simulator.post_control("processing", {"step_seconds": 0.7})
    path = f"{REPORTS}/reports/{create(client)}"
    client.simulator.post_control("processing", {"step_seconds": 0.1})
    seen = []
    for _ in range(100):
        report = client.call("GET", path, token=token).json()
        seen.append(report["processingStatus"])
        if seen[-1] == "DONE":
            break
        assert "reportDocumentId" not in report
        time.sleep(0.02)
    assert list(dict.fromkeys(seen)) == ["IN_QUEUE", "IN_PROGRESS", "DONE"]
    assert report["reportDocumentId"]
    assert report["processingEndTime"]


def test_the_document_is_gzip_behind_a_url_of_its_own(client: Client) -> None:
    document = document_of(client, create(client))
    assert document["compressionAlgorithm"] == "GZIP"
    response = fetch(client, document["url"])
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; charset=UTF-8"
    assert "content-encoding" not in response.headers
    lines = gzip.decompress(response.content).decode().splitlines()
    assert lines[0].startswith("item-name\tseller-sku")
    assert len(lines) == 41
    assert "Café" in lines[1]


def test_japan_gets_shift_jis_and_order_reports_hold_orders(client: Client) -> None:
    report_id = create(client, "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL", JAPAN, "fe")
    response = fetch(client, document_of(client, report_id, "fe")["url"])
    assert response.headers["content-type"] == "text/plain; charset=Shift_JIS"
    text = gzip.decompress(response.content).decode("shift_jis")
    orders = client.simulator.control("GET", f"orders/{client.selling_partner_id}").json()["orders"]
    expected = {order["order_id"] for order in orders if order["marketplace_id"] == JAPAN}
    assert {line.split("\t")[0] for line in text.splitlines()[1:]} == expected


def test_the_content_encoding_header_on_request(client: Client) -> None:
    url = document_of(client, create(client), query="?enableContentEncodingUrlHeader=true")["url"]
    response = fetch(client, url)
    assert response.headers["content-encoding"] == "gzip"
    assert response.text.startswith("item-name\t")


def test_a_long_document_on_request(client: Client) -> None:
    response = fetch(client, document_of(client, create(client, simulatorBytes="3000000"))["url"])
    assert len(gzip.decompress(response.content)) == 3_000_000


def test_a_url_is_valid_for_nothing_else(client: Client) -> None:
    url = document_of(client, create(client))["url"]
    other = document_of(client, create(client))["url"]
    query = url.partition("?")[2]
    assert fetch(client, f"{other.partition('?')[0]}?{query}").status_code == 403
    assert fetch(client, url.replace("X-Amz-Expires=300", "X-Amz-Expires=9999")).status_code == 403
    assert fetch(client, url.partition("?")[0]).status_code == 403
    assert client.simulator.http.put(url, content=b"x").status_code == 403
    assert client.simulator.http.delete(url).status_code == 405
    assert fetch(client, url, headers={"Authorization": "Bearer x"}).status_code == 400
    assert fetch(client, url, headers={"x-amz-access-token": "x"}).status_code == 403
    assert fetch(client, url).status_code == 200


def test_ids_are_separate_for_each_seller(client: Client) -> None:
    other = client.simulator.client(US)
    assert create(client) == create(other)
    document = document_of(client, "50000018001")
    path = f"{REPORTS}/documents/{document['reportDocumentId']}"
    assert other.call("GET", path).status_code == 404
    assert client.call("GET", path).status_code == 200


def test_restricted_report_types_need_a_specific_token(client: Client) -> None:
    report = finished(client, f"{REPORTS}/reports/{create(client, 'GET_FLAT_FILE_ORDER_REPORT_DATA_SHIPPING')}")
    path = f"{REPORTS}/documents/{report['reportDocumentId']}"
    assert client.call("GET", path).status_code == 403
    token = client.restricted_token({"method": "GET", "path": path})
    assert client.call("GET", path, token=token).status_code == 200


@pytest.mark.parametrize("outcome", ["FATAL", "CANCELLED"])
def test_reports_that_end_otherwise(client: Client, outcome: str) -> None:
    report = finished(client, f"{REPORTS}/reports/{create(client, simulator=outcome)}")
    assert report["processingStatus"] == outcome
    assert "reportDocumentId" not in report


def test_cancelling_works_only_in_the_queue(client: Client) -> None:
    token = client.access_token()
    first = f"{REPORTS}/reports/{create(client)}"
    assert client.call("DELETE", first, token=token).status_code == 200
    assert client.call("GET", first, token=token).json()["processingStatus"] == "CANCELLED"
    second = f"{REPORTS}/reports/{create(client)}"
    finished(client, second)
    assert client.call("DELETE", second, token=token).status_code == 400
    assert client.call("DELETE", f"{REPORTS}/reports/1", token=token).status_code == 404


def test_listing_and_the_next_token_without_other_parameters(client: Client) -> None:
    created = [create(client) for _ in range(5)]
    token = client.access_token()
    path = f"{REPORTS}/reports"
    query: dict[str, str] = {"reportTypes": f"{LISTINGS},OTHER", "pageSize": "2"}
    seen = []
    while True:
        document = client.call("GET", path, token=token, params=query).raise_for_status().json()
        seen += [report["reportId"] for report in document["reports"]]
        if "nextToken" not in document:
            break
        query = {"nextToken": document["nextToken"]}
    assert seen == created[::-1]
    both = client.call("GET", path, token=token, params={**query, "pageSize": "2"})
    assert (both.status_code, "nextToken" in both.text) == (400, True)
    assert "reportTypes" in client.call("GET", path, token=token).text


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"[]", "JSON"),
        (b"{", "JSON"),
        (json.dumps({"marketplaceIds": [US]}).encode(), "reportType"),
        (json.dumps({"reportType": LISTINGS}).encode(), "marketplaceIds"),
        (json.dumps({"reportType": LISTINGS, "marketplaceIds": [GERMANY]}).encode(), GERMANY),
        (json.dumps({"reportType": LISTINGS, "marketplaceIds": [US] * 26}).encode(), "25"),
    ],
)
def test_wrong_reports_are_refused_by_field(client: Client, body: bytes, named: str) -> None:
    response = client.call("POST", f"{REPORTS}/reports", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert named in response.json()["errors"][0]["message"]


def announce(client: Client, content_type: str = "application/json; charset=UTF-8") -> dict[str, Any]:
    response = client.call("POST", f"{FEEDS}/documents", json={"contentType": content_type})
    assert response.status_code == 201
    return dict(response.json())


def submit(client: Client, document_id: str) -> httpx.Response:
    body = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [US], "inputFeedDocumentId": document_id}
    return client.call("POST", f"{FEEDS}/feeds", json=body)


def test_a_feed_from_upload_to_result(client: Client) -> None:
    announced = announce(client)
    content = json.dumps({"header": {}, "messages": [{"messageId": n} for n in (1, 2, 3)]}).encode()
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    assert client.simulator.http.put(announced["url"], content=content, headers=headers).status_code == 200
    submitted = submit(client, announced["feedDocumentId"])
    assert submitted.status_code == 202
    feed = finished(client, f"{FEEDS}/feeds/{submitted.json()['feedId']}")
    assert (feed["processingStatus"], feed["feedType"]) == ("DONE", "JSON_LISTINGS_FEED")
    document = client.call("GET", f"{FEEDS}/documents/{feed['resultFeedDocumentId']}").json()
    result = fetch(client, document["url"]).json()
    assert result["summary"] == {"errors": 0, "warnings": 0, "messagesProcessed": 3, "messagesAccepted": 3}
    listed = client.call("GET", f"{FEEDS}/feeds?feedTypes=JSON_LISTINGS_FEED").json()["feeds"]
    assert [row["feedId"] for row in listed] == [feed["feedId"]]


def test_an_upload_repeats_exactly_the_announced_content_type(client: Client) -> None:
    url = announce(client, "text/xml; charset=UTF-8")["url"]
    for wrong in ("text/xml; charset=utf-8", "text/xml", "text/xml;charset=UTF-8"):
        assert client.simulator.http.put(url, content=b"<a/>", headers={"Content-Type": wrong}).status_code == 403
    right = {"Content-Type": "text/xml; charset=UTF-8"}
    assert client.simulator.http.put(url, content=iter([b"<a/>"]), headers=right).status_code == 501
    assert client.simulator.http.put(url, content=b"<a/>", headers=right).status_code == 200
    assert fetch(client, url).status_code == 403


def test_each_feed_needs_its_own_uploaded_document(client: Client) -> None:
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    announced = announce(client)
    assert submit(client, announced["feedDocumentId"]).status_code == 400
    client.simulator.http.put(announced["url"], content=b"{}", headers=headers)
    assert submit(client.simulator.client(US), announced["feedDocumentId"]).status_code == 400
    assert submit(client, announced["feedDocumentId"]).status_code == 202
    assert submit(client, announced["feedDocumentId"]).status_code == 400
