"""Refusals of STS, each as one typed error with a remedy; calls of a busy STS are retried while there is time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from sellergate_common.context import CallContext, use_context
from sellergate_common.errors import Code, OutOfTime, Reason, SellergateError
from sellergate_common.status import to_status
from sellergate_devstack.processes.ports import free_ports
from sellergate_iam.ports import Role, Session
from sellergate_iam.sts import ATTEMPTS, BotoSts
from sellergate_iam.threads import THREADS

from tests.contract.amazon.aws_environment import REGION, bare_aws, boto_sts, own_keys
from tests.contract.simulator.simulator_process import AWS_KEY_ID, AWS_SECRET, ROLE_ARN, Simulator, running_simulator

GUARDED_ARN = "arn:aws:iam::123456789012:role/Guarded"
EXTERNAL_ID = "external-id-of-ours"
ROLE = Role(ROLE_ARN, EXTERNAL_ID, REGION, "a")
SESSION = Session("sellergate-a", 900)


class Sts:
    """A server that responds to every AssumeRole as configured, and counts the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.requests = 0
        self.responses: list[tuple[int, str]] = []
        self.silent_region = ""
        self.well_again = Event()

    def refuses(self, status: int, code: str) -> None:
        """Set the response from now on. Its message must not appear in any message of Sellergate."""
        text = f"{EXTERNAL_ID} {AWS_SECRET} {AWS_KEY_ID}"
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
        self.responses = [(status, f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>")]

    def next(self) -> tuple[int, str]:
        self.requests += 1
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]


@pytest.fixture
def server() -> Iterator[Sts]:
    state = Sts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if state.silent_region and f"/{state.silent_region}/sts/" in self.headers["Authorization"]:
                state.well_again.wait(10)
            status, body = state.next()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's signature)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        state.url = f"http://127.0.0.1:{listening.server_port}"
        yield state
        listening.shutdown()


@pytest.fixture
async def sts(server: Sts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BotoSts]:
    bare_aws(monkeypatch, server.url)
    own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
    async with boto_sts() as adapter:
        yield adapter


async def refusal(sts: BotoSts, role: Role = ROLE) -> SellergateError:
    with pytest.raises(SellergateError) as caught:
        await sts.assume(role, SESSION)
    shown = f"{caught.value!r} {caught.value.metadata} {caught.value.__cause__!r}"
    for secret in (EXTERNAL_ID, AWS_SECRET, AWS_KEY_ID):
        assert secret not in shown
    assert caught.value.__suppress_context__
    return caught.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "Throttling"),
        (400, "ThrottlingException"),
        (400, "RequestLimitExceeded"),
        (400, "RequestThrottled"),
        (503, "RequestThrottled"),
        (503, "ServiceUnavailable"),
        (500, "InternalFailure"),
        (429, "TooManyRequests"),
    ],
)
async def test_calls_of_a_busy_sts_are_retried_and_then_unavailable(
    server: Sts, sts: BotoSts, status: int, code: str
) -> None:
    server.refuses(status, code)
    error = await refusal(sts)
    assert (error.reason, error.code) == (Reason.DEPENDENCY_UNAVAILABLE, Code.UNAVAILABLE)
    assert error.metadata == {"aws_code": code}
    assert server.requests == ATTEMPTS
    assert any(detail.TypeName() == "google.rpc.RetryInfo" for detail in to_status(error, "iam").details)


@pytest.mark.parametrize(
    ("status", "code", "what_to_do"),
    [
        (403, "AccessDenied", "trust policy must name this service's AWS identity and the account's external id"),
        (403, "AccessDeniedException", "must allow sts:AssumeRole"),
        (400, "ValidationError", "maximum session duration"),
        (403, "RegionDisabledException", f"STS is not active in region {REGION}"),
        (400, "MalformedPolicyDocument", "policies"),
        (400, "PackedPolicyTooLarge", "policies"),
    ],
)
async def test_a_refused_role_is_reported_at_once_with_a_remedy(
    server: Sts, sts: BotoSts, status: int, code: str, what_to_do: str
) -> None:
    server.refuses(status, code)
    error = await refusal(sts)
    assert (error.reason, error.code) == (Reason.ROLE_REJECTED, Code.PERMISSION_DENIED)
    assert f"{ROLE_ARN} ({code})" in error.message
    assert what_to_do in error.message
    assert server.requests == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "ExpiredToken"),
        (400, "ExpiredTokenException"),
        (403, "InvalidClientTokenId"),
        (403, "SignatureDoesNotMatch"),
        (403, "MissingAuthenticationToken"),
        (400, "RequestExpired"),
        (403, "OptInRequired"),
    ],
)
async def test_a_refusal_of_the_own_credentials_is_not_reported_as_the_roles(
    server: Sts, sts: BotoSts, status: int, code: str
) -> None:
    server.refuses(status, code)
    error = await refusal(sts)
    assert error.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert f"the iam service's own AWS credentials ({code})" in error.message
    assert ROLE_ARN not in error.message
    assert error.retry_after == 5.0
    assert server.requests == 1


@pytest.mark.parametrize(
    ("response", "requests"),
    [
        ((400, '<ErrorResponse><Error><Code>Bad&#10;"code"&lt;x&gt;</Code></Error></ErrorResponse>'), 1),
        ((400, "<ErrorResponse/>"), 1),
        ((200, "<html>hello"), ATTEMPTS),
        ((200, ""), ATTEMPTS),
        ((200, "<AssumeRoleResponse/>"), ATTEMPTS),
        ((200, "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"), ATTEMPTS),
        ((403, "<!DOCTYPE html><p>proxy"), ATTEMPTS),
        ((503, "<html><body>proxy"), ATTEMPTS),
        ((502, ""), ATTEMPTS),
    ],
)
async def test_an_endpoint_that_is_not_sts_is_unavailable_in_one_line(
    server: Sts, sts: BotoSts, response: tuple[int, str], requests: int
) -> None:
    server.responses = [response]
    error = await refusal(sts)
    assert error.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert error.retry_after
    assert not {"\n", '"', "<"} & set(error.message)
    assert server.requests == requests


@pytest.mark.parametrize("changed", ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"])
async def test_credentials_that_no_header_can_carry_are_not_used(server: Sts, sts: BotoSts, changed: str) -> None:
    fields = {
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "secret",
        "SessionToken": "session",
        "Expiration": "2030-01-01T00:00:00Z",
    }
    text = "".join(f"<{name}>{'a&#10;b' if name == changed else value}</{name}>" for name, value in fields.items())
    result = f"<AssumeRoleResult><Credentials>{text}</Credentials></AssumeRoleResult>"
    server.responses = [(200, f"<AssumeRoleResponse>{result}</AssumeRoleResponse>")]
    error = await refusal(sts)
    assert error.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert server.requests == ATTEMPTS


async def test_a_region_whose_sts_is_silent_delays_no_other(server: Sts, sts: BotoSts) -> None:
    server.refuses(403, "AccessDenied")
    server.silent_region = "us-west-2"
    silent = Role(ROLE_ARN, EXTERNAL_ID, server.silent_region, "a")
    waiting = [asyncio.ensure_future(sts.assume(silent, SESSION)) for _ in range(3 * THREADS)]
    while sts.threads._regions[server.silent_region].busy < THREADS if sts.threads._regions else True:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for _ in range(3):
        assert (await refusal(sts)).reason is Reason.ROLE_REJECTED
    assert not any(task.done() for task in waiting)
    server.well_again.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {one.reason for one in ended if isinstance(one, SellergateError)} == {Reason.ROLE_REJECTED}


async def test_an_sts_that_is_down_or_has_a_wrong_address_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    bare_aws(monkeypatch, f"http://127.0.0.1:{free_ports(1)[0]}")
    own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
    async with boto_sts() as sts:
        assert "cannot be reached (EndpointConnectionError)" in (await refusal(sts)).message
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "nonsense")
    async with boto_sts() as sts:
        assert "check AWS_ENDPOINT_URL_STS" in (await refusal(sts)).message
        error = await refusal(sts, Role(ROLE_ARN, EXTERNAL_ID, "no region", "a"))
    assert "STS of region no region cannot be used (InvalidRegionError)" in error.message


async def test_retries_end_before_the_deadline_with_the_throttling_and_not_with_a_timeout(
    server: Sts, sts: BotoSts
) -> None:
    server.refuses(400, "Throttling")
    await refusal(sts)  # this creates the client
    server.requests = 0
    sts._jitter = lambda: 0.99
    loop = asyncio.get_running_loop()
    with use_context(CallContext("m", "r", deadline=loop.time() + 1)):
        started = loop.time()
        error = await refusal(sts)
    assert error.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert loop.time() - started < 1
    assert 1 <= server.requests < ATTEMPTS


async def test_a_short_throttling_is_invisible_to_the_caller(server: Sts, sts: BotoSts, amazon: Simulator) -> None:
    amazon.post_control("faults", {"kind": "sts_throttle", "count": ATTEMPTS - 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_STS", amazon.main)
        found = await sts.assume(ROLE, SESSION)
    assert found.access_key_id.get_secret_value().startswith("ASIA")


async def test_a_call_without_time_left_is_out_of_time(server: Sts, sts: BotoSts) -> None:
    server.refuses(400, "Throttling")
    with use_context(CallContext("m", "r", deadline=0.0)), pytest.raises(OutOfTime):
        await sts.assume(ROLE, SESSION)


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        roles = [{"arn": ROLE_ARN, "external_id": None}, {"arn": GUARDED_ARN, "external_id": EXTERNAL_ID}]
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        simulator.post_control("seed", {"roles": roles, "aws_keys": keys})
        yield simulator


@pytest.fixture
async def simulated(amazon: Simulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BotoSts]:
    bare_aws(monkeypatch, amazon.main)
    own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
    async with boto_sts() as adapter:
        yield adapter


async def test_the_simulator_refuses_the_same_as_sts(simulated: BotoSts) -> None:
    assert (await simulated.assume(Role(GUARDED_ARN, EXTERNAL_ID, REGION, "a"), SESSION)).expire_time
    for external_id in ("another", ""):
        error = await refusal(simulated, Role(GUARDED_ARN, external_id, REGION, "a"))
        assert (error.reason, error.metadata) == (Reason.ROLE_REJECTED, {"aws_code": "AccessDenied"})
    unknown = await refusal(simulated, Role("arn:aws:iam::123456789012:role/None", "", REGION, "a"))
    assert unknown.reason is Reason.ROLE_REJECTED
    with pytest.raises(SellergateError) as caught:
        await simulated.assume(ROLE, Session("sellergate-a", 43_201))
    assert (caught.value.reason, caught.value.metadata["aws_code"]) == (Reason.ROLE_REJECTED, "ValidationError")


@pytest.mark.parametrize("slow", [0.0, 240.0])
async def test_credentials_expire_in_time_by_a_slow_clock(
    amazon: Simulator, monkeypatch: pytest.MonkeyPatch, slow: float
) -> None:
    bare_aws(monkeypatch, amazon.main)
    own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
    async with boto_sts(lambda: time.time() - slow) as sts:
        found = await sts.assume(ROLE, SESSION)
    assert found.expire_time <= time.time() - slow + SESSION.seconds
    assert found.expire_time >= time.time() - slow + SESSION.seconds - 60


async def test_own_keys_that_sts_does_not_know_are_reported_as_such(
    simulated: BotoSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_keys(monkeypatch, AWS_KEY_ID, "wrong")
    assert "own AWS credentials (SignatureDoesNotMatch)" in (await refusal(simulated)).message
    own_keys(monkeypatch, "AKIAUNKNOWN000000000", AWS_SECRET)
    assert "own AWS credentials (InvalidClientTokenId)" in (await refusal(simulated)).message
    own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
    assert (await simulated.assume(ROLE, SESSION)).expire_time, "replaced keys are taken up without a restart"


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def test_motos_sts_gives_credentials_and_refuses_a_name_that_is_too_long(
    moto_url: str, monkeypatch: pytest.MonkeyPatch, sts: BotoSts
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_url)
    found: Any = await sts.assume(ROLE, SESSION)
    assert found.access_key_id.get_secret_value().startswith("ASIA")
    assert found.session_token.get_secret_value() not in repr(found)
    with pytest.raises(SellergateError) as caught:
        await sts.assume(ROLE, Session("x" * 65, 900))
    assert caught.value.reason is Reason.ROLE_REJECTED
    assert caught.value.metadata == {"aws_code": "ValidationError"}
