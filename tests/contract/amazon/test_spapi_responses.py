"""Responses that Amazon should never send: each is one typed outcome, and none controls a browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sellergate_gateway.spapi.aiohttp_transport import open_amazon
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse, ResponseLost


@asynccontextmanager
async def serving(head: bytes) -> AsyncIterator[str]:
    """Serve one response to every request; yield the URL."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


async def sent(head: bytes) -> AmazonResponse:
    async with serving(head) as url, open_amazon() as amazon:
        return await amazon.send(AmazonRequest("POST", url, (), b"{}"), 20)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket",
        b"HTTP/1.1 600 What\r\nContent-Length: 2",
        b"HTTP/1.1 999 What\r\nContent-Length: 2",
        b"HTTP/1.1 099 What\r\nContent-Length: 2",
        b"HTTP/1.1 2000 What\r\nContent-Length: 2",
        b"HTTP/1.1 two What\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-amzn-RequestId: a\x01b",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-amzn-RequestId: a\x00b",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-amzn-RequestId: a\x7fb",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx amzn: ab",
    ],
)
async def test_an_invalid_http_response_is_an_unknown_outcome(head: bytes) -> None:
    with pytest.raises(ResponseLost) as caught:
        await sent(head)
    assert "127.0.0.1" not in str(caught.value)


async def test_only_listed_headers_are_passed_on() -> None:
    kept = [("Content-Length", "2"), ("x-amzn-RequestId", "r"), ("X-Amz-Apigw-Id", "g"), ("Content-Type", "text/\xe9")]
    dropped = [
        ("Set-Cookie", "session=amazon"),
        ("Set-Cookie2", "a=b"),
        ("Content-Security-Policy", "default-src *"),
        ("Content-Security-Policy-Report-Only", "default-src *"),
        ("Strict-Transport-Security", "max-age=0"),
        ("Clear-Site-Data", '"*"'),
        ("Access-Control-Allow-Origin", "*"),
        ("Public-Key-Pins", "x"),
        ("Refresh", "0; url=https://evil.example"),
        ("Link", "<https://evil.example>; rel=preload"),
        ("Alt-Svc", 'h3=":443"'),
        ("NEL", "{}"),
        ("Report-To", "{}"),
        ("Service-Worker-Allowed", "/"),
        ("X-Frame-Options", "ALLOWALL"),
        ("WWW-Authenticate", 'Basic realm="x"'),
        ("Permissions-Policy", "camera=*"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("SourceMap", "/x"),
        ("Server", "Server"),
        ("Via", "1.1 x"),
        ("X-Request-Id", "theirs"),
    ]
    lines = [f"{name}: {value}".encode("latin-1") for name, value in dropped + kept]
    response = await sent(b"\r\n".join([b"HTTP/1.1 200 OK", *lines]))
    assert response.headers == tuple(kept)
    assert response.body == b"ok"
