"""The check of document hosts: no address in a response of Amazon leads to another host."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from sellergate_gateway.documents.aiohttp_store import AiohttpDocuments, PublicResolver, open_documents
from sellergate_gateway.documents.ports import ConnectionBroken, Forbidden
from sellergate_gateway.settings import DOCUMENT_HOSTS

HOSTS = [*DOCUMENT_HOSTS.split(","), "http://127.0.0.1:3900"]


@pytest.fixture
async def documents() -> AsyncIterator[AiohttpDocuments]:
    async with open_documents(HOSTS) as opened:
        yield opened


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.s3.amazonaws.com/x",
        "https://bucket.s3.amazonaws.com:8443/x",
        "https://evil.example/x",
        "https://amazonaws.com.evil.example/x",
        "https://user:secret@bucket.s3.amazonaws.com/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://2130706433/x",
        "http://127.0.0.1:3901/documents/x",
        "http://localhost:3900/documents/x",
        "file:///etc/passwd",
        "//::][@/",
        "https://xn--" + "a" * 57 + "/",
        "https://%FF@xn--99999999999999999999/",
        "gopher://bucket.s3.amazonaws.com/x",
        "",
        "//bucket.s3.amazonaws.com/x",
    ],
)
async def test_unlisted_and_insecure_addresses_are_refused(documents: AiohttpDocuments, url: str) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"

    with pytest.raises(Forbidden) as caught:
        async with documents.get(url, ()):
            pass
    assert "secret" not in str(caught.value)
    with pytest.raises(Forbidden):
        await documents.put(url, "text/plain", 1, nothing())


class Resolves(AbstractResolver):
    """A resolver that returns these addresses for any name."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in self._addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.8"],
        ["169.254.169.254"],
        ["52.218.0.1", "192.168.1.1"],
        ["::1"],
        ["fd00::1"],
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["239.255.255.250"],
        ["255.255.255.255"],
        ["100.64.0.1"],
        ["ff02::1"],
        ["ff0e::1"],
        # Addresses that contain an IPv4 address: mapped, compatible, NAT64 of the network and of a site, 6to4, Teredo.
        ["::ffff:127.0.0.1"],
        ["::127.0.0.1"],
        ["::"],
        ["64:ff9b::7f00:1"],
        ["64:ff9b::a9fe:a9fe"],
        ["64:ff9b:1::7f00:1"],
        ["2002:7f00:1::1"],
        ["2002:a9fe:a9fe::"],
        ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
        ["fe80::1"],
        ["fec0::1"],
        ["2001:db8::1"],
        ["not an address"],
        [],
    ],
)
async def test_names_with_private_addresses_are_refused(addresses: list[str]) -> None:
    with pytest.raises(OSError, match="not public"):
        await PublicResolver(Resolves(*addresses)).resolve("bucket.s3.amazonaws.com", 443)


async def test_the_resolved_public_address_is_connected_to() -> None:
    for address in ("52.218.0.1", "2600:1fa0:80b4::1"):
        (found,) = await PublicResolver(Resolves(address)).resolve("bucket.s3.amazonaws.com", 443)
        assert (found["host"], found["port"]) == (address, 443)


async def test_a_redirect_is_not_followed_and_no_credential_is_sent() -> None:
    seen = list[bytes]()

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).lower())
        writer.write(b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_documents([f"http://127.0.0.1:{port}"]) as documents:
        for _ in range(2):
            async with documents.get(
                f"http://127.0.0.1:{port}/a%2Fb?X-Amz-Signature=%2b", (("range", "bytes=1-"),)
            ) as fetched:
                assert fetched.status == 302
    assert all(b"get /a%2fb?x-amz-signature=%2b " in head and b"range: bytes=1-" in head for head in seen)
    assert not any(name in head for head in seen for name in (b"authorization", b"cookie", b"x-amz-access-token"))


async def test_a_silent_store_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sellergate_gateway.documents.aiohttp_store.SILENCE_SECONDS", 0.2)

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_documents([f"http://127.0.0.1:{port}"]) as documents:
        got = b""
        with pytest.raises(ConnectionBroken) as caught:
            async with documents.get(f"http://127.0.0.1:{port}/x?secret", ()) as fetched:
                async for chunk in fetched.chunks:
                    got += chunk
    assert got == b"half"
    assert "secret" not in str(caught.value)
