"""The HTTP adapter and the signer against the simulator: requests, responses, and the outcome without a response."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

import boto3
import pytest
from pydantic import SecretStr
from sellergate_common.outbound.route import user_agent
from sellergate_gateway.model import AwsCredentials
from sellergate_gateway.spapi.aiohttp_transport import MOST_BODY_BYTES, AiohttpAmazon, open_amazon
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse, ConnectError, ResponseLost, ResponseOversized
from sellergate_gateway.spapi.sigv4 import SigV4Signer

from tests.contract.simulator.simulator_process import (
    AWS_KEY_ID,
    AWS_SECRET,
    GERMANY,
    ROLE_ARN,
    US,
    Client,
    Simulator,
    running_simulator,
)

SECONDS = 10.0
ITEMS = "/catalog/2022-04-01/items"
ACCOUNT = "/sellers/v1/account"
ACCOUNT_NAME = "sellers/v1/getAccount"

# Paths and queries that clients, servers and signers often rewrite.
URLS = [
    f"{ITEMS}/B0%2F1%20x",
    f"{ITEMS}/%C3%BC%2520",
    f"{ITEMS}/a+b:c@d;e,f=g!$&'()*",
    f"{ITEMS}/%7e~%2D",
    f"{ITEMS}?ids=A,B&keywords=a+b",
    f"{ITEMS}?keywords=a%2Cb%2b%252B&%69ds=%41",
    f"{ITEMS}?b=2&a=1&b=1&a",
    f"{ITEMS}?empty=&alone&=nameless&&",
    f"{ITEMS}?createdAfter=2026-01-01T00:00:00Z&q=?/:@",
    f"{ITEMS}?q=%e2%82%ac&q=%E2%82%AC",
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as started:
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        started.post_control("seed", {"roles": [{"arn": ROLE_ARN}], "aws_keys": keys})
        started.post_control("rates", {"scale": 1000, "burst_scale": 100})
        yield started


@pytest.fixture(scope="module")
def client(simulator: Simulator) -> Client:
    return simulator.client(US, GERMANY)


@pytest.fixture(scope="module")
def token(client: Client) -> str:
    return client.access_token()


@pytest.fixture(scope="module")
async def amazon() -> AsyncIterator[AiohttpAmazon]:
    async with open_amazon() as opened:
        yield opened


@pytest.fixture(scope="module")
def session(simulator: Simulator) -> AwsCredentials:
    sts: Any = boto3.client(
        "sts",
        endpoint_url=simulator.main,
        region_name="us-east-1",
        aws_access_key_id=AWS_KEY_ID,
        aws_secret_access_key=AWS_SECRET,
    )
    got = sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="test")["Credentials"]
    key, secret, token = (SecretStr(got[name]) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    return AwsCredentials(key, secret, token, 1e12, 3600)


def request(client: Client, token: str, url: str = ACCOUNT, method: str = "GET", **given: Any) -> AmazonRequest:
    headers = (("x-amz-access-token", token), *given.get("headers", ()))
    return AmazonRequest(method, client.simulator.url("na") + url, headers, given.get("body", b""))


def echo(response: AmazonResponse) -> Any:
    assert response.status // 100 == 2, response.body
    document = json.loads(response.body)
    return document.get("payload", document)["echo"]


@pytest.mark.parametrize("url", URLS)
async def test_a_request_arrives_as_given(amazon: AiohttpAmazon, client: Client, token: str, url: str) -> None:
    arrived = echo(await amazon.send(request(client, token, url), SECONDS))
    path, _, query = url.partition("?")
    assert (arrived["path"], arrived["query"]) == (path, query)


@pytest.mark.parametrize("url", URLS)
async def test_the_signed_request_is_the_sent_one(
    amazon: AiohttpAmazon, client: Client, token: str, session: AwsCredentials, url: str
) -> None:
    signed = SigV4Signer(time.time).sign(request(client, token, url), session, "us-east-1")
    assert (
        dict(signed.headers)["Authorization"]
        .partition("SignedHeaders=")[2]
        .startswith("host;x-amz-access-token;x-amz-date;x-amz-security-token,")
    )
    echo(await amazon.send(signed, SECONDS))


async def test_a_signed_body_is_accepted_and_wrong_signatures_are_refused(
    amazon: AiohttpAmazon, client: Client, token: str, session: AwsCredentials
) -> None:
    path = "/listings/2021-08-01/items/SELLER/sku"
    headers = (("content-type", "application/json"),)
    plain = request(client, token, f"{path}?marketplaceIds={US}", "PUT", body=b'{"a": 1}', headers=headers)
    signed = SigV4Signer(time.time).sign(plain, session, "us-east-1")
    assert echo(await amazon.send(signed, SECONDS))["body_sha256"] == sha256(plain.body).hexdigest()
    elsewhere = SigV4Signer(time.time).sign(plain, session, "eu-west-1")
    for wrong in (replace(signed, body=b'{"a": 2}'), replace(signed, url=signed.url + "&b"), elsewhere):
        assert (await amazon.send(wrong, SECONDS)).status == 403


@pytest.mark.parametrize("size", [0, 1, 4096, 1_000_000])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_bodies_arrive_byte_for_byte(
    amazon: AiohttpAmazon, client: Client, token: str, method: str, size: int
) -> None:
    path = "/listings/2021-08-01/items/SELLER/sku"
    body = bytes(index % 251 for index in range(size))
    headers = (("content-type", "application/octet-stream"),)
    response = await amazon.send(request(client, token, path, method, body=body, headers=headers), SECONDS)
    arrived = echo(response)
    assert (arrived["body_length"], arrived["body_sha256"]) == (size, sha256(body).hexdigest())


async def test_a_get_has_no_length_and_a_response_keeps_its_bytes(
    amazon: AiohttpAmazon, client: Client, token: str
) -> None:
    # The simulator refuses a GET with Content-Length as Amazon does, with an HTML page.
    response = await amazon.send(request(client, token, headers=(("accept-encoding", "gzip"),)), SECONDS)
    assert response.status == 200
    assert response.header("X-AMZN-REQUESTID")
    assert float(response.header("x-amzn-RateLimit-Limit")) > 0


@pytest.mark.parametrize("kind", ["reset", "truncate"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_a_request_on_a_broken_connection_is_sent_once_with_an_unknown_outcome(
    amazon: AiohttpAmazon, client: Client, token: str, kind: str, method: str
) -> None:
    url, name = {
        "GET": (ACCOUNT, ACCOUNT_NAME),
        "DELETE": ("/reports/2021-06-30/schedules/s", "reports/2021-06-30/cancelReportSchedule"),
        "POST": ("/reports/2021-06-30/schedules", "reports/2021-06-30/createReportSchedule"),
    }[method]
    # On a connection that was used before, aiohttp would repeat a broken request unnoticed.
    assert (await amazon.send(request(client, token), SECONDS)).status == 200
    before = client.simulator.operation(name)["calls"]
    client.simulator.post_control("faults", {"kind": kind, "count": 1, "operation": name})
    with pytest.raises(ResponseLost) as caught:
        await amazon.send(request(client, token, url, method), SECONDS)
    assert client.simulator.operation(name)["calls"] == before + 1
    assert token not in repr(caught.value)
    assert "127.0.0.1" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_a_late_response_is_an_unknown_outcome(amazon: AiohttpAmazon, client: Client, token: str) -> None:
    client.simulator.post_control(
        "faults", {"kind": "slow", "count": 1, "delay_seconds": 1.0, "operation": ACCOUNT_NAME}
    )
    with pytest.raises(ResponseLost, match=r"no complete response within 0\.2 s"):
        await amazon.send(request(client, token), 0.2)


async def test_a_refused_connection_sends_nothing(amazon: AiohttpAmazon, client: Client, token: str) -> None:
    unreachable = replace(request(client, token), url="http://127.0.0.1:1/x")
    with pytest.raises(ConnectError):
        await amazon.send(unreachable, SECONDS)
    # The other side has no TLS, so that the handshake fails before a request is sent.
    with pytest.raises(ConnectError):
        await amazon.send(replace(unreachable, url=client.simulator.url("na").replace("http:", "https:")), SECONDS)


async def test_a_failed_handshake_sends_nothing(amazon: AiohttpAmazon, client: Client, token: str) -> None:
    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ConnectError, match=r"within 0\.2 s"):
            await amazon.send(replace(request(client, token), url=f"https://127.0.0.1:{port}/x"), 0.2)


async def test_a_redirect_is_a_response_and_cookies_are_not_kept(amazon: AiohttpAmazon) -> None:
    seen: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            seen.append(head.lower())
            writer.write(b"HTTP/1.1 307 X\r\nLocation: /else\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
            if len(seen) == 2:
                break
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    async with server:
        to = AmazonRequest("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x", (), b"")
        assert [(await amazon.send(to, SECONDS)).status for _ in range(2)] == [307, 307]
    assert user_agent().startswith("Sellergate/")
    assert "(Language=Python/3." in user_agent()
    for head in seen:
        assert f"user-agent: {user_agent().lower()}".encode() in head
        assert not any(name in head for name in (b"cookie", b"content-length", b"content-type", b"accept"))


@asynccontextmanager
async def large_response(status: int, *, size: int, length: bool) -> AsyncIterator[tuple[AmazonRequest, list[int]]]:
    """Serve one response of `size` bytes, with or without its length; count the bytes that were taken."""
    taken = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"Content-Length: {size}" if length else "Connection: close"
        writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\nx-amzn-RequestId: r-1\r\n\r\n".encode())
        with suppress(ConnectionError):
            while taken[0] < size:
                writer.write(bytes(min(1 << 20, size - taken[0])))
                await writer.drain()
                taken[0] += 1 << 20
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        yield AmazonRequest("POST", url, (), b"{}"), taken


@pytest.mark.parametrize("length", [True, False])
async def test_an_oversized_response_is_not_read_to_its_end(amazon: AiohttpAmazon, length: bool) -> None:
    async with large_response(201, size=400 << 20, length=length) as (request_, taken):
        with pytest.raises(ResponseOversized) as caught:
            await amazon.send(request_, SECONDS)
        assert (caught.value.response.status, caught.value.response.header("x-amzn-requestid")) == (201, "r-1")
        assert taken[0] < 64 << 20
    assert not amazon._session.connector._acquired  # type: ignore[union-attr]


@pytest.mark.parametrize("length", [True, False])
async def test_an_oversized_refusal_is_reported_without_its_body(amazon: AiohttpAmazon, length: bool) -> None:
    async with large_response(503, size=17 << 20, length=length) as (request_, _):
        response = await amazon.send(request_, SECONDS)
        assert (response.status, response.body, response.header("content-length")) == (503, b"", "")


async def test_the_largest_response_that_can_be_passed_on_is_complete(amazon: AiohttpAmazon) -> None:
    async with large_response(200, size=MOST_BODY_BYTES, length=False) as (request_, _):
        assert len((await amazon.send(request_, SECONDS)).body) == MOST_BODY_BYTES


def test_a_request_shows_no_secret() -> None:
    shown = repr(AmazonRequest("GET", "https://x/?buyer=1", (("x-amz-access-token", "Atza|1"),), b"body"))
    assert shown == "AmazonRequest(GET)"
