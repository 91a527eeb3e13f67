"""Requests of hostile callers over real sockets: refused before they cost anything, with any certificate."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import (
    GatewayServiceServicer,
    GatewayServiceStub,
    add_GatewayServiceServicer_to_server,
)
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import from_rpc_error, invoke, open_channel
from sellergate_devstack import certificates
from sellergate_devstack.certificates import Authority

from tests.fakes.cpu_time import cpu_time
from tests.fakes.loop_watchdog import watched_loop
from tests.integration import servers

CALL = "/sellergate.gateway.v1.GatewayService/Call"
UPLOAD = "/sellergate.gateway.v1.GatewayService/UploadDocument"
EMPTY_HEADER = call_pb2.CallRequest(headers=[call_pb2.Header()]).SerializeToString()
FLOOD = EMPTY_HEADER * (10 * 1024 * 1024 // len(EMPTY_HEADER))


class Servicer(GatewayServiceServicer):  # type: ignore[misc]
    """A servicer that counts the requests that reach it."""

    calls = 0

    async def Call(self, request: call_pb2.CallRequest, context: Any) -> call_pb2.CallResponse:  # noqa: N802
        self.calls += 1
        return call_pb2.CallResponse(http_status=200)

    async def UploadDocument(self, requests: Any, context: Any) -> pb2.UploadDocumentResponse:  # noqa: N802
        async for _ in requests:
            self.calls += 1
        return pb2.UploadDocumentResponse(document_id="d")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def identity_of(authority: Authority, name: str) -> Identity:
    files = authority.issue(name)
    return Identity.of(files.ca, files.certificate, files.key)


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture
async def target(authority: Authority, servicer: Servicer) -> AsyncIterator[str]:
    own = identity_of(authority, "gateway")
    async with servers.serving("gateway", own, {add_GatewayServiceServicer_to_server: servicer}) as where:
        yield where


def peak_megabytes(*, reset: bool = False) -> float:
    """Return the most memory that this process had at once, since it was reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


async def refusal(channel: grpc.aio.Channel, path: str, *messages: bytes) -> SellergateError:
    call = channel.stream_stream(path)(iter(messages), timeout=60)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    return from_rpc_error(caught.value, "gateway")


async def test_ten_megabytes_of_empty_headers_cost_no_memory(
    authority: Authority, servicer: Servicer, target: str
) -> None:
    """They once took 450 MB of memory for any certificate of the suite, before the caller's identity was checked."""
    resident = peak_megabytes(reset=True)
    with cpu_time() as spent, watched_loop():
        for name, reason in (("token", Reason.CALLER_NOT_ALLOWED), ("client/demo", Reason.INVALID_REQUEST)):
            async with open_channel(target, "gateway", identity_of(authority, name), []) as channel:
                error = await refusal(channel, CALL, FLOOD)
            assert error.reason is reason
            assert not error.violations or error.violations[0].field == "headers"
    assert servicer.calls == 0
    assert spent.seconds < 2
    # The sent and received bytes are in this process several times.
    assert peak_megabytes() - resident < 100


async def test_each_message_of_a_stream_is_bounded(authority: Authority, servicer: Servicer, target: str) -> None:
    good = pb2.UploadDocumentRequest(chunk=b"x").SerializeToString()
    async with open_channel(target, "gateway", identity_of(authority, "client/demo"), []) as channel:
        error = await refusal(channel, UPLOAD, good, FLOOD)
    assert error.reason is Reason.INVALID_REQUEST
    assert servicer.calls == 1


async def test_bytes_that_are_not_a_message_are_refused_as_such(authority: Authority, target: str) -> None:
    async with open_channel(target, "gateway", identity_of(authority, "client/demo"), []) as channel:
        for data in (b"\xff\xff\xff", b"\x0a\xff\xff\xff\x0f"):
            assert (await refusal(channel, CALL, data)).reason is Reason.INVALID_REQUEST
            assert (await refusal(channel, UPLOAD, data)).reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize("name", ["operator", "client/demo"])
async def test_a_host_name_with_the_text_of_an_identity_is_not_an_identity(
    authority: Authority, target: str, name: str
) -> None:
    """An authority that lets its clients choose host names must not let them choose identities by that."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"spiffe://sellergate/{name}")])
    names = [
        x509.DNSName(f"spiffe://sellergate/{name}"),
        x509.RFC822Name(f"spiffe://sellergate/{name}"),
        x509.DNSName("gateway.sellergate"),
    ]
    issuer = x509.load_pem_x509_certificate(authority.certificate_file.read_bytes())
    certificate = (
        certificates._certificate_builder(subject, issuer.subject, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority._key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    stranger = Identity(authority.certificate_file.read_bytes(), pem, certificates._key_pem(key))
    async with open_channel(target, "gateway", stranger, []) as channel:
        with pytest.raises(SellergateError) as caught:
            await invoke(GatewayServiceStub(channel).Call, call_pb2.CallRequest(account_id="a"), dependency="gateway")
    assert caught.value.reason is Reason.CALLER_UNAUTHENTICATED
