"""Requests arrive at Amazon byte for byte: bodies of every size, and unusual paths and queries."""

import json
from hashlib import sha256
from typing import Any

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.rpc.channel import invoke

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

ITEM = "/catalog/2022-04-01/items"
# By method: an operation that the simulator echoes, with one path segment that accepts any text.
PATHS = {
    "GET": ITEM,
    "POST": "/aplus/2020-11-01/contentDocuments",
    "PUT": "/listings/2020-09-01/items/A1",
    "PATCH": "/listings/2020-09-01/items/A1",
    "DELETE": "/listings/2020-09-01/items/A1",
}
SEGMENTS = [
    "plain",
    "B0%2F1",
    "%c3%bc%C3%9C%E2%82%AC",
    "a%20b%25%2525",
    "-._~!$&'()*+,;=:@",
    "%00".replace("00", "21"),
    "x" * 900,
    "%F0%9F%98%80",
]
QUERIES = [
    "",
    "a=1",
    "b=2&a=1&b=1&a",
    "empty=&alone&=nameless&&",
    "q=%e2%82%ac&q=%E2%82%AC&q=+%20%2B",
    "createdAfter=2026-01-01T00:00:00Z&x=?/:@!$'()*,;",
    "keywords=a%2Cb%2b%252B&%69ds=%41",
    "many=" + "&many=".join(map(str, range(300))),
]
SIZES = [0, 1, 1_000, 65_535, 65_536, 1_000_000, 10 * 1024 * 1024]

pytestmark = pytest.mark.usefixtures("fast")


def echo(response: call_pb2.CallResponse) -> Any:
    assert response.http_status // 100 == 2, response.body
    document = json.loads(response.body)
    return document.get("payload", document)["echo"]


async def test_paths_and_queries(rest: Rest, seller: Seller, gateway: GatewayServiceStub) -> None:
    account_id, seen = await rest.connect(seller), 0
    for method, base in PATHS.items():
        for segment in SEGMENTS:
            for query in QUERIES:
                path = f"{base}/{segment}"
                request = call_pb2.CallRequest(account_id=account_id, method=method, path=path, raw_query=query)
                arrived = echo(await invoke(gateway.Call, request, dependency="gateway"))
                assert (arrived["method"], arrived["path"], arrived["query"]) == (method, path, query)
                seen += 1
    assert seen == len(PATHS) * len(SEGMENTS) * len(QUERIES)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_bodies(rest: Rest, seller: Seller, gateway: GatewayServiceStub, method: str) -> None:
    account_id = await rest.connect(seller)
    for size in SIZES:
        body = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
        request = call_pb2.CallRequest(
            account_id=account_id,
            method=method,
            path=f"{PATHS[method]}/x",
            body=body[:size],
            content_type="application/x-odd; a=b",
        )
        arrived = echo(await invoke(gateway.Call, request, dependency="gateway"))
        assert (arrived["body_length"], arrived["body_sha256"]) == (size, sha256(body[:size]).hexdigest())
        assert arrived["content_type"] == "application/x-odd; a=b"


async def test_parameters_in_parts(rest: Rest, seller: Seller, gateway: GatewayServiceStub) -> None:
    account_id = await rest.connect(seller)
    parts = [("a b", "ü/&=+"), ("a b", ""), ("alone", None), ("€", "%"), ("comma", "1,2")]
    query = call_pb2.QueryParameters(parameters=[call_pb2.QueryParameter(name=n, value=v) for n, v in parts])
    request = call_pb2.CallRequest(account_id=account_id, method="GET", path=f"{ITEM}/x", query=query)
    arrived = echo(await invoke(gateway.Call, request, dependency="gateway"))
    assert arrived["query"] == "a%20b=%C3%BC%2F%26%3D%2B&a%20b=&alone&%E2%82%AC=%25&comma=1%2C2"
