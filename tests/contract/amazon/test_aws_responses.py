"""Endless responses of AWS to boto3's real clients: read within bounds of size and time, then ended with an error."""

from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import boto3
import pytest
from botocore.config import Config
from pydantic import SecretStr
from sellergate_account.secrets.kms import CannotUnwrap, Kms, unwrap_ring
from sellergate_common.blocking.aws import MOST_BYTES, OutOfBounds, bound_session
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.outbound.route import DIRECT
from sellergate_iam.ports import Role, Session
from sellergate_token.rotation.consumer import QueueUnavailable
from sellergate_token.rotation.sqs_queue import SqsQueue

from tests.contract.amazon.aws_environment import REGION, bare_aws, boto_sts, own_keys

# The most unread bytes in the sockets of both ends.
IN_SOCKETS = 16 * 1024 * 1024
ENDLESS = 1 << 40


class Server:
    """A server that sends without end, in one of several modes, and counts the sent bytes."""

    def __init__(self) -> None:
        self.url = ""
        self.mode = ""
        self.requests = 0
        self.sent = 0
        self.released = Event()


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            state.requests += 1
            self.send_response(200)
            if state.mode == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
            elif state.mode in ("announced", "drip"):
                self.send_header("Content-Length", str(ENDLESS if state.mode == "announced" else 100))
            self.end_headers()
            self.close_connection = True
            with suppress(ConnectionError):
                while not state.released.is_set():
                    self._send(b" " * (1 if state.mode == "drip" else 64 * 1024))
                    if state.mode == "drip":
                        state.released.wait(0.05)

        def _send(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if state.mode == "chunked" else data)
            state.sent += len(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's signature)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        state.url = f"http://127.0.0.1:{listening.server_port}"
        yield state
        state.released.set()
        listening.shutdown()


@pytest.fixture(autouse=True)
def access(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_aws(monkeypatch, server.url)
    own_keys(monkeypatch, "AKIATESTING", "testing")
    for service in ("SQS", "KMS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.url)


ENDLESS_MODES = pytest.mark.parametrize("mode", ["announced", "chunked", "until the connection ends"])


@ENDLESS_MODES
async def test_sts(server: Server, mode: str) -> None:
    server.mode = mode
    async with boto_sts() as sts:
        with pytest.raises(SellergateError, match="STS sent a response of more than") as caught:
            await sts.assume(Role("arn:aws:iam::123456789012:role/R", "", REGION, "a"), Session("s", 900))
        assert not any(region.busy for region in sts.threads._regions.values())
    assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert server.sent <= server.requests * (MOST_BYTES + IN_SOCKETS)


@ENDLESS_MODES
def test_kms(server: Server, mode: str) -> None:
    server.mode = mode
    with pytest.raises(CannotUnwrap, match=r"a KMS request failed for key k1 \(OutOfBounds\)"):
        unwrap_ring(SecretStr("k1 kms:AAAA"), Kms(REGION))
    assert server.sent <= server.requests * (MOST_BYTES + IN_SOCKETS)


@ENDLESS_MODES
async def test_sqs(server: Server, mode: str) -> None:
    server.mode = mode
    queue = SqsQueue(f"{server.url}/1/q", REGION, visibility_seconds=1, wait_seconds=0)
    with pytest.raises(QueueUnavailable, match="OutOfBounds"):
        await queue.receive()
    assert queue.threads.idle
    assert server.sent <= server.requests * (12 * 1024 * 1024 + IN_SOCKETS)


def test_a_slow_response_ends_at_its_time_limit(server: Server) -> None:
    server.mode = "drip"
    client = bound_session(boto3.session.Session(), DIRECT, seconds=0.3).client(
        "sts", region_name=REGION, config=Config(retries={"total_max_attempts": 1})
    )
    with pytest.raises(OutOfBounds, match="takes longer"):
        client.get_caller_identity()
    assert server.sent < 100


def test_clients_of_the_credential_chain_are_bounded(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = tmp_path_factory.mktemp("identity") / "token"
    token.write_text("a.web.identity")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/Own")
    server.mode = "announced"
    session = bound_session(boto3.session.Session(region_name=REGION), DIRECT)
    with pytest.raises(OutOfBounds):
        session.get_credentials().get_frozen_credentials()
