"""With other servers configured, no simulator runs: LWA and SP-API of this test, STS of moto; botocore verifies the signature."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer
from sellergate.iam.v1 import iam_service_pb2
from sellergate.iam.v1.iam_service_pb2_grpc import IamServiceStub
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports

from tests.e2e.test_launcher import environment, launched
from tests.system.test_launcher import report


@dataclass
class OtherAmazon:
    """An LWA and an SP-API that accept every caller and record their requests; `refuses` begins the paths that get 403."""

    url: str = ""
    refuses: str = "-"
    exchanges: list[dict[str, list[str]]] = field(default_factory=list)
    calls: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def exchange(self, request: web.Request) -> web.Response:
        self.exchanges.append(parse_qs(await request.text()))
        token = {
            "access_token": "Atza|other",
            "token_type": "bearer",
            "expires_in": 3600,
            "refresh_token": "Atzr|other",
        }
        return web.json_response(token)

    async def call(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, str(request.rel_url), dict(request.headers)))
        if request.path.startswith(self.refuses):
            errors = [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]
            return web.json_response({"errors": errors}, status=403)
        return web.json_response({"orders": [{"orderId": "other-1", "createdTime": "2026-11-20T00:00:00Z"}]})


@pytest.fixture
async def amazon() -> AsyncIterator[OtherAmazon]:
    other = OtherAmazon()
    app = web.Application()
    app.router.add_post("/auth/o2/token", other.exchange)
    app.router.add_route("*", "/{path:.*}", other.call)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    other.url = f"http://{LOOPBACK}:{port}"
    yield other
    await runner.cleanup()


@pytest.fixture
def moto_url() -> Any:
    server = ThreadedMotoServer(LOOPBACK, 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def test_the_run_uses_other_servers_and_starts_no_simulator(
    tmp_path: Path, amazon: OtherAmazon, moto_url: str
) -> None:
    folder = tmp_path / "state"
    variables = environment(
        folder,
        SELLERGATE_LWA_TOKEN_URL=f"{amazon.url}/auth/o2/token",
        SELLERGATE_SPAPI_ENDPOINT=amazon.url,
        AWS_ENDPOINT_URL_STS=moto_url,
    )
    with launched(variables) as process:
        run_report = await report(folder, process)
        assert run_report["simulator"] is None
        assert "simulator" not in run_report["pids"]
        demo = json.loads((folder / "demo.json").read_text())
        assert amazon.exchanges[0]["client_id"] == [demo["client_id"]]
        assert amazon.exchanges[0]["refresh_token"] == [demo["refresh_token"]]
        method, url, headers = amazon.calls[-1]
        assert url.startswith("/orders/2026-01-01/orders?createdAfter=")
        keys = await _credentials(run_report)
    assert headers["x-amz-access-token"] == "Atza|other"
    _verify(method, amazon.url + url, headers, keys)


async def _credentials(run_report: dict[str, Any]) -> Credentials:
    """Get the credentials with which the gateway signed from the iam service, as an operator."""

    files = (Path(run_report[name]).read_bytes() for name in ("ca_file", "client_cert_file", "client_key_file"))
    async with open_channel(run_report["iam"], "iam", Identity(*files), []) as channel:
        request = iam_service_pb2.AssumeRoleRequest(account_id=run_report["account_id"])
        found = await invoke(IamServiceStub(channel).AssumeRole, request, dependency="iam")
    await asyncio.sleep(0)
    return Credentials(found.access_key_id, found.secret_access_key, found.session_token)


def _verify(method: str, url: str, headers: dict[str, str], keys: Credentials) -> None:
    """Sign the received request again with botocore, and compare the signatures."""
    lower = {name.lower(): value for name, value in headers.items()}
    scope = lower["authorization"]
    assert keys.access_key in scope
    assert "/us-east-1/execute-api/aws4_request" in scope
    assert lower["x-amz-security-token"] == keys.token
    signed_names = scope.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    again = AWSRequest(method, url, headers={name: lower[name] for name in signed_names}, data=b"")
    again.context["timestamp"] = lower["x-amz-date"]
    auth = SigV4Auth(keys, "execute-api", "us-east-1")
    canonical = auth.canonical_request(again)
    signature = auth.signature(auth.string_to_sign(again, canonical), again)
    assert signature == scope.partition("Signature=")[2]


@pytest.mark.parametrize(
    ("refused", "step"),
    [("/orders", "GET /api/amazon/test/orders: 4"), ("/", "status: call failed: AMAZON_DENIED")],
    ids=["orders", "everything"],
)
async def test_a_refused_step_is_named_and_the_account_and_its_drop_in_client_stay(
    tmp_path: Path,
    amazon: OtherAmazon,
    refused: str,
    step: str,
) -> None:
    amazon.refuses = refused
    variables = environment(
        tmp_path / "state",
        SELLERGATE_LWA_TOKEN_URL=f"{amazon.url}/auth/o2/token",
        SELLERGATE_SPAPI_ENDPOINT=amazon.url,
    )
    with launched(variables) as process:
        written = await report(tmp_path / "state", process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert written["account_id"]
    assert written["dropin"]["handle"].startswith("sgr_")
    assert step in output
    assert "The seller is connected; the step above shows what these servers refuse." in output
    assert "SELLERGATE_DEMO_" not in output
