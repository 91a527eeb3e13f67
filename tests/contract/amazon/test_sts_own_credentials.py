"""boto3's own chain: with each kind of own credentials a seller's role is assumed; all servers are on loopback."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer
from moto.sts.models import sts_backends
from sellergate_common.errors import Reason, SellergateError, Unavailable
from sellergate_iam.ports import AwsCredentials, Role, Session
from sellergate_iam.sts import BotoSts

from tests.contract.amazon.aws_environment import REGION, bare_aws, boto_sts, own_keys
from tests.contract.simulator.simulator_process import AWS_KEY_ID, AWS_SECRET, ROLE_ARN, Simulator, running_simulator

OUR_ROLE = "arn:aws:iam::111122223333:role/sellergate-iam"
ROLE = Role(ROLE_ARN, "ours", REGION, "a")
SESSION = Session("sellergate-a", 900)


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    """An STS that checks who signed: only the keys of this test are known to it."""
    with running_simulator() as simulator:
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        roles = [{"arn": ROLE_ARN, "external_id": "ours"}, {"arn": OUR_ROLE, "external_id": None}]
        simulator.post_control("seed", {"roles": roles, "aws_keys": keys})
        yield simulator


@pytest.fixture
async def sts(amazon: Simulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BotoSts]:
    bare_aws(monkeypatch, amazon.main)
    async with boto_sts() as adapter:
        yield adapter


async def works(sts: BotoSts) -> AwsCredentials:
    found = await sts.assume(ROLE, SESSION)
    assert found.access_key_id.get_secret_value().startswith("ASIA")
    return found


async def fails(sts: BotoSts, cause: str) -> None:
    with pytest.raises(Unavailable, match=r"^The iam service has no AWS credentials of its own") as caught:
        await sts.assume(ROLE, SESSION)
    assert f"({cause})" in caught.value.message
    assert AWS_SECRET not in caught.value.message


async def test_keys_in_the_environment_are_used(sts: BotoSts, monkeypatch: pytest.MonkeyPatch) -> None:
    await fails(sts, "NoCredentialsError")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AWS_KEY_ID)
    await fails(sts, "PartialCredentialsError")
    own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
    await works(sts)


async def test_a_replaced_shared_file_is_read_again(
    sts: BotoSts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[other]\naws_access_key_id = {AWS_KEY_ID}\naws_secret_access_key = of-yesterday\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "sellergate")
    await fails(sts, "ProfileNotFound")
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(Unavailable, match="SignatureDoesNotMatch"):
        await sts.assume(ROLE, SESSION)
    file.write_text(f"[other]\naws_access_key_id = {AWS_KEY_ID}\naws_secret_access_key = {AWS_SECRET}\n")
    await works(sts)


async def test_a_profiles_own_role_is_distinguished_from_the_sellers_role(
    sts: BotoSts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    keys = f"aws_access_key_id = {AWS_KEY_ID}\naws_secret_access_key = {AWS_SECRET}\n"
    file.write_text(
        f"[profile keys]\n{keys}[profile ours]\nrole_arn = {OUR_ROLE}\nsource_profile = keys\n"
        f"[profile refused]\nrole_arn = {OUR_ROLE}-unknown\nsource_profile = keys\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "refused")
    await fails(sts, "AccessDenied")
    monkeypatch.setenv("AWS_PROFILE", "ours")
    await works(sts)


class Container:
    """The endpoint for credentials of a container or pod."""

    def __init__(self) -> None:
        self.url = ""
        self.life = timedelta(hours=1)
        self.authorizations: list[str | None] = []
        self.given: dict[str, str] | None = None

    def respond(self, authorization: str | None) -> tuple[int, bytes]:
        self.authorizations.append(authorization)
        if self.given is None:
            return 404, b"{}"
        return 200, json.dumps(self.given | {"Expiration": (datetime.now(UTC) + self.life).isoformat()}).encode()


@pytest.fixture
def container(amazon: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Container]:
    """Pod identity: a full URI on loopback, and a token in a file."""
    endpoint = Container()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = endpoint.respond(self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's signature)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        (tmp_path / "token").write_text("pod-token-1")
        monkeypatch.setenv(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/v1/credentials"
        )
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        yield endpoint
        server.shutdown()


def assumed_session(amazon: Simulator) -> dict[str, str]:
    """Return temporary credentials that the simulator gave, as a container endpoint writes them."""
    client: Any = boto3.session.Session(AWS_KEY_ID, AWS_SECRET).client("sts", REGION, endpoint_url=amazon.main)
    found = client.assume_role(RoleArn=OUR_ROLE, RoleSessionName="pod")["Credentials"]
    client.close()
    return {"Token": found["SessionToken"], **{name: found[name] for name in ("AccessKeyId", "SecretAccessKey")}}


async def test_the_container_endpoint_is_called_with_its_token_and_again_before_expiry(
    amazon: Simulator, sts: BotoSts, container: Container, tmp_path: Path
) -> None:
    container.given = assumed_session(amazon)
    container.life = timedelta(minutes=5)  # within boto3's mandatory ten minutes: renewed at each use
    await works(sts)
    requests = len(container.authorizations)
    amazon.post_control("sessions/expire")
    container.given, container.life = assumed_session(amazon), timedelta(hours=1)
    (tmp_path / "token").write_text("pod-token-2")
    await works(sts)
    assert len(container.authorizations) == requests + 1
    assert (container.authorizations[0], container.authorizations[-1]) == ("pod-token-1", "pod-token-2")
    await works(sts)
    assert len(container.authorizations) == requests + 1, "credentials that live long are not asked for again"


async def test_an_own_session_that_ended_early_is_reported_and_replaced(
    amazon: Simulator, sts: BotoSts, container: Container
) -> None:
    container.given = assumed_session(amazon)
    await works(sts)
    amazon.post_control("sessions/expire")
    with pytest.raises(Unavailable, match=r"own AWS credentials \(ExpiredToken\)"):
        await sts.assume(ROLE, SESSION)
    container.given = assumed_session(amazon)
    await works(sts)


async def test_a_container_endpoint_without_credentials_is_unavailable(
    sts: BotoSts, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.utils

    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0.01)
    await fails(sts, "CredentialRetrievalError")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.invalid/credentials")
    await fails(sts, "ValueError")


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def assumed(role_arn: str) -> list[Any]:
    """Return the sessions of a role that moto gave."""
    return [one for one in sts_backends[role_arn.split(":")[4]]["aws"].assumed_roles if one.role_arn == role_arn]


async def test_a_web_identity_needs_its_file_its_role_and_the_region_of_this_service(
    sts: BotoSts, moto_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    httpx.post(f"{moto_url}/moto-api/reset")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_url)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    await fails(sts, "InvalidConfigError")
    monkeypatch.setenv("AWS_ROLE_ARN", OUR_ROLE)
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod-1")
    await fails(sts, "FileNotFoundError")
    (tmp_path / "token").write_text("eyJhbGciOiJub25lIn0.e30.")
    await works(sts)
    await works(sts)
    (session,) = assumed(OUR_ROLE)
    assert session.session_name == "pod-1"
    first, second = assumed(ROLE_ARN)
    assert (
        (first.session_name, first.external_id) == (second.session_name, second.external_id) == (SESSION.name, "ours")
    )


async def test_a_refused_web_identity_is_not_reported_as_a_refused_role(
    sts: BotoSts, amazon: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("eyJhbGciOiJub25lIn0.e30.")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", OUR_ROLE)
    with pytest.raises(SellergateError) as caught:  # the simulator does not support web identities
        await sts.assume(ROLE, SESSION)
    assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert "The iam service has no AWS credentials of its own (MissingAuthenticationToken)" in caught.value.message
