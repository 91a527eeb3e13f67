"""Rotations through the running suite: the webhook over REST, and Amazon's queue; exchanges use the stored secrets."""

import hashlib
import hmac
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sellergate.account.v1 import application_pb2, application_service_pb2
from sellergate.account.v1.account_secrets_service_pb2 import GetAccountSecretsRequest, GetAccountSecretsResponse
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate.token.v1.token_service_pb2 import HandleRotationRequest
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_common.errors import NotAllowed
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves, http_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

PATH = "/api/amazon/webhooks/token-rotation"
OTHERS = f"others-{secrets.token_urlsafe(32)}"
# One for each test that takes one.
APPLICATIONS = 7


@dataclass
class Hook:
    """An application and its account in the suite, and an edge and a token service with its webhook secrets."""

    suite: Suite
    seller: Seller
    application_id: str
    account_id: str
    secret: str
    second: str
    token: Process
    http: httpx.AsyncClient

    async def send(self, body: Any, secret: str = "", moment: float | None = None, path: str = PATH) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        timestamp = str(int(time.time() if moment is None else moment))
        return await self.http.post(path, content=raw, headers=signed(secret or self.secret, timestamp, raw))

    def refresh_token(self, token: str, **changes: Any) -> dict[str, Any]:
        body = {"applicationId": self.application_id, "accountId": self.account_id, "refreshToken": token}
        return {"type": "REFRESH_TOKEN", **body, **changes}

    def client_secret(self, secret: str) -> dict[str, Any]:
        return {"type": "CLIENT_SECRET", "applicationId": self.application_id, "clientSecret": secret}

    async def stored(self) -> GetAccountSecretsResponse:
        async with open_channel(self.suite.target("account"), "account", self.suite.identity("token"), []) as channel:
            request = GetAccountSecretsRequest(account_id=self.account_id)
            return await invoke(AccountSecretsServiceStub(channel).GetAccountSecrets, request, dependency="account")


def signed(secret: str, timestamp: str, body: bytes) -> dict[str, str]:
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Sellergate-Timestamp": timestamp, "X-Sellergate-Signature": f"v1={mac}"}


@dataclass
class Webhooks:
    """An edge and a token service with webhook secrets for some applications, each of which one test takes."""

    applications: list[tuple[Seller, str, str, str]]
    token: Process
    supervisor: Supervisor
    http: httpx.AsyncClient


@pytest.fixture(scope="module")
async def webhooks(
    suite: Suite, control: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Webhooks]:
    folder = tmp_path_factory.mktemp("webhooks")
    applications = [await registered(suite, await Seller.seeded(control)) for _ in range(APPLICATIONS)]
    file = folder / "webhook-secrets"
    lines = [f"{application} {secret}" for _, application, *own in applications for secret in own]
    file.write_text("\n".join([*lines, f"another {OTHERS}", ""]))
    token_port, edge_port = free_ports(2)
    token_environment = {
        **suite.supervisor.processes["token"].environment,
        "SELLERGATE_TOKEN_PORT": str(token_port),
        "SELLERGATE_WEBHOOK_SECRETS_FILE": str(file),
    }
    edge_environment = {
        **suite.supervisor.processes["edge"].environment,
        "SELLERGATE_EDGE_PORT": str(edge_port),
        "SELLERGATE_TOKEN_TARGET": f"{LOOPBACK}:{token_port}",
    }
    serves = grpc_serves(f"{LOOPBACK}:{token_port}", "token", suite.identity("operator"))
    token = Process("token", command("token"), token_environment, folder / "token.log", serves)
    responses = http_serves(f"http://{LOOPBACK}:{edge_port}/console/icon.svg")
    edge = Process("edge", command("edge"), edge_environment, folder / "edge.log", responses)
    supervisor = Supervisor(lambda _: None)
    try:
        await supervisor.start(token)
        await supervisor.start(edge)
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{edge_port}", timeout=40, trust_env=False) as http:
            yield Webhooks([*applications], token, supervisor, http)
    finally:
        await supervisor.stop()
    known = [OTHERS, *(secret for seller, _, *own in applications for secret in (seller.client_id, *own))]
    for process in (token, edge):
        log = process.log.read_text()
        assert not any(shape in log for shape in ("Atzr|", "oa2-cs", *known))


async def registered(suite: Suite, seller: Seller) -> tuple[Seller, str, str, str]:
    """Register the application of a seller; return both, and two webhook secrets for it."""
    new = application_service_pb2.CreateApplicationRequest(
        application=application_pb2.Application(name="Rotating"),
        lwa_client_id=seller.client_id,
        lwa_client_secret=seller.client_secret,
    )
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        made = await invoke(ApplicationServiceStub(channel).CreateApplication, new, dependency="account")
    return seller, str(made.application.application_id), secrets.token_urlsafe(32), secrets.token_urlsafe(32)


@pytest.fixture
async def hook(rest: Rest, webhooks: Webhooks) -> Hook:
    if webhooks.token.has_ended():
        await webhooks.supervisor.start(webhooks.token)
    seller, application_id, *own = webhooks.applications.pop()
    connection = seller.connection(applicationId=application_id, lwaClientId=None, lwaClientSecret=None)
    account_id = (await rest.request("POST", "/api/amazon/accounts", json=connection)).json()["id"]
    return Hook(rest.suite, seller, application_id, account_id, *own, webhooks.token, webhooks.http)


def command(name: str) -> list[str]:
    return [sys.executable, "-m", f"sellergate_{name}"]


async def granted(hook: Hook, control: httpx.AsyncClient) -> str:
    """Return a new refresh token that Amazon accepts."""
    token = f"Atzr|{secrets.token_urlsafe(64)}"
    seed = hook.seller.seed()
    seed["sellers"][0]["refresh_tokens"].append({"client_id": hook.seller.client_id, "refresh_token": token})
    (await control.post("/control/seed", json=seed)).raise_for_status()
    return token


async def test_a_working_refresh_token_is_stored_once_and_a_replay_is_refused(
    hook: Hook, control: httpx.AsyncClient
) -> None:
    token = await granted(hook, control)
    body, timestamp = json.dumps(hook.refresh_token(token)).encode(), str(int(time.time()))
    first = await hook.http.post(PATH, content=body, headers=signed(hook.secret, timestamp, body))
    assert (first.status_code, first.json()) == (200, {"applied": True}), first.text
    assert (await hook.stored()).refresh_token == token
    replay = await hook.http.post(PATH, content=body, headers=signed(hook.secret, timestamp, body))
    assert replay.status_code == 401
    assert replay.json()["reason"] == "CALLER_UNAUTHENTICATED"
    again = await hook.send(hook.refresh_token(token), hook.second)
    assert (again.status_code, again.json()) == (200, {"applied": False})


async def test_a_refresh_token_that_does_not_work_keeps_the_old_one(hook: Hook) -> None:
    before = await hook.stored()
    refused = await hook.send(hook.refresh_token("Atzr|nobody-granted-this"))
    assert refused.status_code == 400
    assert refused.json()["violations"][0]["field"] == "refreshToken"
    after = await hook.stored()
    assert (after.refresh_token, after.account.revision) == (before.refresh_token, before.account.revision)


async def test_a_client_secret_is_stored_beside_the_old_one(hook: Hook, control: httpx.AsyncClient) -> None:
    fresh = f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}"
    applied = await hook.send(hook.client_secret(fresh))
    assert (applied.status_code, applied.json()) == (200, {"applied": True}), applied.text
    stored = (await hook.stored()).application
    assert (stored.client_secret, stored.previous_client_secret) == (fresh, hook.seller.client_secret)
    known = await hook.send(hook.client_secret(fresh), hook.second)
    assert (known.status_code, known.json()) == (200, {"applied": False})
    # Amazon does not know it yet: exchanges use the old secret, and the new refresh token is stored nevertheless.
    token = await granted(hook, control)
    assert (await hook.send(hook.refresh_token(token))).json() == {"applied": True}


async def test_all_refusals_are_equal(hook: Hook) -> None:
    good = hook.client_secret("never stored")
    refusals = [
        await hook.send(good, "wrong" * 8),
        await hook.send(good, moment=time.time() - 301),
        await hook.send(good, moment=time.time() + 330),
    ]
    documents = [refusal.json() for refusal in refusals]
    assert {refusal.status_code for refusal in refusals} == {401}
    assert len({document["detail"] for document in documents}) == 1
    unsigned = await hook.http.post(PATH, json=good)
    assert (unsigned.status_code, unsigned.json()["reason"]) == (401, "CALLER_UNAUTHENTICATED")
    assert (await hook.stored()).application.client_secret == hook.seller.client_secret


async def test_another_applications_secret_is_refused(hook: Hook, rest: Rest, control: httpx.AsyncClient) -> None:
    for body in (hook.client_secret("x"), hook.refresh_token("Atzr|x")):
        refused = await hook.send(body, OTHERS)
        assert (refused.status_code, refused.json()["violations"][0]["field"]) == (400, "applicationId")
    stranger = await Seller.seeded(control)
    account_id = await rest.connect(stranger)
    for unknown in (account_id, "no-such-account"):
        refused = await hook.send(hook.refresh_token(stranger.refresh_token, accountId=unknown))
        assert (refused.status_code, refused.json()["reason"]) == (404, "ACCOUNT_NOT_FOUND")


async def test_malformed_and_oversized_bodies_are_refused_with_the_reason(hook: Hook) -> None:
    for body in (b"{", b"[]", b'{"type": "REFRESH_TOKEN"}'):
        refused = await hook.send(body)
        assert (refused.status_code, refused.json()["reason"]) == (400, "INVALID_REQUEST")
    largest = b" " * (64 * 1024)
    assert (await hook.send(largest)).status_code == 400
    assert (await hook.send(largest + b" ")).status_code == 413


async def test_without_a_token_service_the_sender_is_asked_to_retry(hook: Hook) -> None:
    if hook.token.handle is not None:
        hook.token.handle.kill()
        hook.token.handle.wait()
    refused = await hook.send(hook.client_secret("x"))
    assert (refused.status_code, refused.json()["reason"]) == (503, "DEPENDENCY_UNAVAILABLE")


async def test_the_edge_may_send_no_queue_message(suite: Suite) -> None:
    request = HandleRotationRequest(queue_message=b"{}")
    async with open_channel(suite.target("token"), "token", suite.identity("edge"), []) as channel:
        with pytest.raises(NotAllowed):
            await invoke(TokenServiceStub(channel).HandleRotation, request, dependency="token")
