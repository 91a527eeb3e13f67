"""TLS of the public port: a certificate that changes while the edge runs, and clients that stall handshakes."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sellergate_edge.listening import bounds
from sellergate_edge.listening.certificate import PublicCertificate
from sellergate_edge.listening.connections import Connections, Proxies
from sellergate_edge.listening.listener import ListenerOptions
from sellergate_edge.listening.server import make_server
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

HOST = "127.0.0.1"


def write(folder: Path, name: str, *, fitting: bool = True) -> tuple[Path, Path]:
    """Write a certificate for `name` and its key, or the key of another."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    end = now + dt.timedelta(days=1)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now, end)
    signed = made.sign(key, hashes.SHA256())
    shown = key if fitting else ec.generate_private_key(ec.SECP256R1())
    certificate, file = folder / "tls.crt", folder / "tls.key"
    file.write_bytes(
        shown.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return certificate, file


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(scope["scheme"])(scope, receive, send)


async def get_over_tls(port: int) -> tuple[str, str]:
    """Send a request over TLS; return the name in the certificate, and the scheme that the app received."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    received = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    (name,) = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value), received.rpartition(b"\n")[2].decode()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110  (the other end's state has no event)
            await asyncio.sleep(0.02)


def test_tls_is_used_renewed_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HANDSHAKE_SECONDS", 0.5)
    looks = 0

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)

    async def main() -> None:
        certificate = PublicCertificate(*write(tmp_path, "first"))
        connections = Connections(5, 5, Proxies(""))
        server = make_server(app, HOST, 0, ListenerOptions(connections, certificate.context, asyncio.sleep))
        serving, renewing = asyncio.create_task(server.serve()), asyncio.create_task(certificate.renew(sleep))

        async def started() -> bool:
            return server.started

        await until(started)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            assert await get_over_tls(port) == ("first", "https")
            write(tmp_path, "spoiled", fitting=False)
            seen = looks

            async def looked() -> bool:
                return looks > seen + 5

            await until(looked)
            assert (await get_over_tls(port))[0] == "first"
            write(tmp_path, "second")

            async def renewed() -> bool:
                return (await get_over_tls(port))[0] == "second"

            await until(renewed)

            # Missing and invalid handshakes: counted at once, ended in time.
            held = [await asyncio.open_connection(HOST, port) for _ in range(20)]
            held[0][1].write(b"GET / HTTP/1.1\r\n\r\n")

            async def refused() -> bool:
                return connections.refused >= 15

            await until(refused)
            assert connections.open <= 5

            async def left() -> bool:
                return connections.open == 0

            await until(left)
            assert await get_over_tls(port) == ("second", "https")
            for _, writer in held:
                with suppress(OSError):
                    writer.close()
        finally:
            renewing.cancel()
            server.stop()
            await serving

    uvloop.run(main())


def test_a_key_of_another_certificate_fails_the_start(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        PublicCertificate(*write(tmp_path, "x", fitting=False))
