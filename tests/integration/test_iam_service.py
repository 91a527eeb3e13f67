"""The iam service over gRPC with mutual TLS: the rights of each caller, and the requests to STS; Redis and STS are real."""

import base64
import random
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from sellergate.account.v1 import account_pb2, account_service_pb2, account_service_pb2_grpc
from sellergate.iam.v1 import iam_service_pb2 as pb2
from sellergate.iam.v1 import iam_service_pb2_grpc
from sellergate_amazon.marketplaces import REGIONS
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import Code, NotFound, Reason, SellergateError
from sellergate_common.identity.policy import Access
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_common.sites import Sites
from sellergate_iam.boto_signer import BotoSigner
from sellergate_iam.credentials import Credentials
from sellergate_iam.grpc_accounts import CONTRACTS, GrpcAccounts
from sellergate_iam.ports import AwsCredentials, Role, Session
from sellergate_iam.redis_credentials import redis_credentials
from sellergate_iam.servicer import IamServicer
from sellergate_iam.signatures import Signatures
from sellergate_iam.sts import BotoSts

from tests.conftest import TestAuthority
from tests.contract.amazon.aws_environment import REGION, bare_aws, boto_sts, own_keys
from tests.contract.simulator.simulator_process import AWS_KEY_ID, AWS_SECRET, Simulator, running_simulator
from tests.integration.servers import serving

RING = KeyRing.parse("k1 " + base64.urlsafe_b64encode(b"x" * 64).decode())
ROLES = "arn:aws:iam::123456789012:role/"
GUARDED, OPEN, FORBIDDEN = ROLES + "sp-api-guarded", ROLES + "sp-api-open", ROLES + "admin"
HOST = "https://sellingpartnerapi-eu.amazon.com"


class AccountService(account_service_pb2_grpc.AccountServiceServicer):
    """Accounts by their ids, by default in Germany."""

    def __init__(self) -> None:
        self.accounts: dict[str, account_pb2.Account] = {}

    def add(self, **fields: Any) -> str:
        account_id = str(uuid.uuid4())
        given = {"marketplace": "DE", "region": REGION, "external_id": "ours", "iam_role_arn": GUARDED, **fields}
        self.accounts[account_id] = account_pb2.Account(account_id=account_id, revision=1, **given)
        return account_id

    async def GetAccount(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        if request.account_id not in self.accounts:
            raise NotFound.account(request.account_id)
        return account_service_pb2.GetAccountResponse(account=self.accounts[request.account_id])


@dataclass
class Recording:
    """The real STS adapter, with a record of its calls."""

    real: BotoSts
    calls: list[tuple[Role, Session]] = field(default_factory=list)

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        self.calls.append((role, session))
        return await self.real.assume(role, session)


@dataclass
class Desk:
    """A running iam service, and stubs with each identity's certificate."""

    accounts: AccountService
    sts: Recording
    target: str
    authority: TestAuthority

    async def call(self, caller: str, method: str, request: Any) -> Any:
        async with open_channel(self.target, "iam", self.authority.identity(caller), []) as channel:
            stub = iam_service_pb2_grpc.IamServiceStub(channel)
            return await invoke(getattr(stub, method), request, dependency="iam", seconds=10)

    async def assume(
        self, caller: str = "gateway", seconds: int | None = None, **fields: Any
    ) -> pb2.AssumeRoleResponse:
        duration = None if seconds is None else Duration(seconds=seconds)
        response = await self.call(caller, "AssumeRole", pb2.AssumeRoleRequest(duration=duration, **fields))
        assert isinstance(response, pb2.AssumeRoleResponse)
        return response

    async def refused(self, method: str, request: Any, caller: str = "gateway") -> SellergateError:
        count = len(self.sts.calls)
        with pytest.raises(SellergateError) as caught:
            await self.call(caller, method, request)
        if caught.value.reason is not Reason.ROLE_REJECTED:
            assert len(self.sts.calls) == count, "STS is not asked in vain"
        return caught.value


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        roles = [{"arn": GUARDED, "external_id": "ours"}, {"arn": OPEN, "external_id": None}, {"arn": FORBIDDEN}]
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        simulator.post_control("seed", {"roles": roles, "aws_keys": keys})
        yield simulator


@pytest.fixture
async def desk(
    amazon: Simulator, redis_url: str, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    bare_aws(monkeypatch, amazon.main)
    own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
    accounts = AccountService()
    add_accounts = account_service_pb2_grpc.add_AccountServiceServicer_to_server
    add_iam = iam_service_pb2_grpc.add_IamServiceServicer_to_server
    production = {region.name: f"https://{region.host}" for region in REGIONS}
    sandbox = {region.name: f"https://{region.sandbox_host}" for region in REGIONS}
    access = Access({"sellergate.iam.v1.IamService/AssumeRole": frozenset({"client/billing"})})
    async with (
        open_redis(SecretStr(redis_url)) as redis,
        boto_sts() as sts,
        serving("account", authority.identity("account"), {add_accounts: accounts}) as account_target,
        open_channel(account_target, "account", authority.identity("iam"), CONTRACTS) as channel,
    ):
        copies: StaleIfErrorCache[account_pb2.Account] = StaleIfErrorCache(time.monotonic, lambda: False)
        recording, known = Recording(sts), GrpcAccounts(channel, copies)
        cache = redis_credentials(redis, RING, InvalidationFeed(redis), SYSTEM_CLOCK, random.random)
        credentials = Credentials(known, recording, cache, (ROLES + "sp-api-*",))
        await credentials.clear("")  # Redis is shared with the other tests of the session
        signatures = Signatures(known, credentials, Sites(production, sandbox), BotoSigner())
        servicer = IamServicer(credentials, signatures, REGION)
        async with serving("iam", authority.identity("iam"), {add_iam: servicer}, access) as target:
            yield Desk(accounts, recording, target, authority)


async def test_the_session_is_named_after_the_account_unless_the_caller_names_one(desk: Desk) -> None:
    account_id = desk.accounts.add()
    assert (await desk.assume(account_id=account_id)).access_key_id.startswith("ASIA")
    response = await desk.assume(account_id=account_id, session_name="a_Z0+=,.@-", seconds=900)
    assert response.expire_time.ToSeconds() - time.time() == pytest.approx(900, abs=5)
    assert (await desk.assume(account_id=account_id, seconds=43_200)).session_token
    assert [session for _, session in desk.sts.calls] == [
        Session(f"sellergate-{account_id}", 3600),
        Session("a_Z0+=,.@-", 900),
        Session(f"sellergate-{account_id}", 43_200),
    ]


@pytest.mark.parametrize("name", ["a", "x" * 65, "with space", "umlaut-ä", "slash/", "colon:", "tab\t"])
async def test_an_invalid_session_name_is_refused_by_field(desk: Desk, name: str) -> None:
    request = pb2.AssumeRoleRequest(account_id=desk.accounts.add(), session_name=name)
    error = await desk.refused("AssumeRole", request)
    assert [violation.field for violation in error.violations] == ["session_name"]


@pytest.mark.parametrize("seconds", [-1, 0, 899, 43_201])
async def test_a_duration_outside_the_bounds_is_refused_by_field(desk: Desk, seconds: int) -> None:
    request = pb2.AssumeRoleRequest(account_id=desk.accounts.add(), duration=Duration(seconds=seconds))
    error = await desk.refused("AssumeRole", request)
    assert (error.code, [violation.field for violation in error.violations]) == (Code.INVALID_ARGUMENT, ["duration"])


async def test_only_an_operator_may_name_a_bare_role_and_only_an_allowed_one(desk: Desk) -> None:
    assert (await desk.assume("operator", role_arn=OPEN)).session_token
    assert desk.sts.calls == [(Role(OPEN, "", REGION), Session("sellergate-operator", 3600))]
    for caller in ("gateway", "client/billing"):
        error = await desk.refused("AssumeRole", pb2.AssumeRoleRequest(role_arn=OPEN), caller)
        assert (error.code, error.reason) == (Code.PERMISSION_DENIED, Reason.CALLER_NOT_ALLOWED)
    error = await desk.refused("AssumeRole", pb2.AssumeRoleRequest(role_arn=FORBIDDEN), "operator")
    assert error.code is Code.PERMISSION_DENIED
    assert "SELLERGATE_ROLE_ARN_ALLOW" in error.message
    account_id = desk.accounts.add(iam_role_arn=FORBIDDEN)
    for method, request in (
        ("AssumeRole", pb2.AssumeRoleRequest(account_id=account_id)),
        ("SignRequest", pb2.SignRequestRequest(account_id=account_id, method="GET", url=HOST)),
    ):
        assert (await desk.refused(method, request, "operator")).code is Code.PERMISSION_DENIED
    assert (await desk.refused("AssumeRole", pb2.AssumeRoleRequest(), "operator")).violations[0].field == "role"


async def test_a_bare_role_is_assumed_once_per_valid_region(desk: Desk) -> None:
    first = await desk.assume("operator", role_arn=OPEN, region="eu-central-1")
    again = await desk.assume("operator", role_arn=OPEN, region="eu-central-1")
    assert again.access_key_id == first.access_key_id
    assert (await desk.assume("operator", role_arn=OPEN)).access_key_id != first.access_key_id
    assert [role.region for role, _ in desk.sts.calls] == ["eu-central-1", REGION]
    account_id = desk.accounts.add()
    assert (await desk.assume(account_id=account_id, region="us-west-2")).session_token
    assert desk.sts.calls[-1][0].region == "us-west-2"
    for region in ("us east 1", "US-EAST-1", "evil.example/", "us-east-1\n", "x" * 33):
        request = pb2.AssumeRoleRequest(role_arn=OPEN, region=region)
        error = await desk.refused("AssumeRole", request, "operator")
        assert [violation.field for violation in error.violations] == ["region"]
    stats = await desk.call("operator", "GetCredentialsCacheStats", pb2.GetCredentialsCacheStatsRequest())
    assert (stats.hits, stats.misses, stats.assumptions) == (1, 2, 3)
    cleared = await desk.call("operator", "ClearCredentialsCache", pb2.ClearCredentialsCacheRequest())
    assert cleared.cleared >= 2


async def test_a_named_internal_service_may_assume_an_accounts_role_and_another_may_not(desk: Desk) -> None:
    account_id = desk.accounts.add()
    assert (await desk.assume("client/billing", account_id=account_id)).session_token
    error = await desk.refused("AssumeRole", pb2.AssumeRoleRequest(account_id=account_id), "client/other")
    assert error.reason is Reason.CALLER_NOT_ALLOWED


async def test_an_account_without_a_role_is_refused_by_field(desk: Desk) -> None:
    account_id = desk.accounts.add(iam_role_arn="")
    for method, request in (
        ("AssumeRole", pb2.AssumeRoleRequest(account_id=account_id)),
        ("SignRequest", pb2.SignRequestRequest(account_id=account_id, method="GET", url=HOST)),
    ):
        error = await desk.refused(method, request, "operator")
        assert (error.code, [one.field for one in error.violations]) == (Code.INVALID_ARGUMENT, ["account_id"])
    unknown = pb2.AssumeRoleRequest(account_id="nobody")
    assert (await desk.refused("AssumeRole", unknown)).reason is Reason.ACCOUNT_NOT_FOUND


async def test_the_external_id_is_sent_unless_an_operator_has_said_that_the_role_has_none(desk: Desk) -> None:
    assert (await desk.assume(account_id=desk.accounts.add())).session_token
    without = desk.accounts.add(role_without_external_id=True)
    error = await desk.refused("AssumeRole", pb2.AssumeRoleRequest(account_id=without))
    assert (error.code, error.reason) == (Code.PERMISSION_DENIED, Reason.ROLE_REJECTED)
    assert "external id" in error.message
    assert "ours" not in error.message.split()
    assert (
        await desk.assume(account_id=desk.accounts.add(iam_role_arn=OPEN, role_without_external_id=True))
    ).session_token
    assert [role.external_id for role, _ in desk.sts.calls] == ["ours", "", ""]
    another_users = desk.accounts.add(external_id="theirs")
    refused = await desk.refused("AssumeRole", pb2.AssumeRoleRequest(account_id=another_users))
    assert refused.reason is Reason.ROLE_REJECTED


async def test_signing_and_assuming_share_one_call_of_sts(desk: Desk) -> None:
    account_id = desk.accounts.add()
    request = pb2.SignRequestRequest(account_id=account_id, method="GET", url=f"{HOST}/orders/v0/orders?a=b")
    first = await desk.call("client/demo", "SignRequest", request)
    assert [header.name for header in first.headers] == ["authorization", "x-amz-date", "x-amz-security-token"]
    found = await desk.assume(account_id=account_id)
    authorization, date, token = (header.value for header in first.headers)
    scope = f"{date[:8]}/eu-west-1/execute-api/aws4_request"
    assert (
        f"Credential={found.access_key_id}/{scope}, SignedHeaders=host;x-amz-date;x-amz-security-token,"
        in authorization
    )
    assert token == found.session_token
    assert found.secret_access_key not in str(first)
    assert len(desk.sts.calls) == 1


@pytest.mark.parametrize(
    ("field_name", "fields"),
    [
        ("account_id", {"account_id": ""}),
        ("method", {"method": ""}),
        ("method", {"method": "get"}),
        ("method", {"method": "TRACE"}),
        ("method", {"method": "GET\nPOST"}),
        ("url", {"url": ""}),
        ("url", {"url": HOST + "/" + "x" * 8192}),
        ("url", {"url": HOST + "/a\tb"}),
        ("url", {"url": "https://sts.eu-west-1.amazonaws.com/?Action=AssumeRole"}),
        ("url", {"url": "https://sellingpartnerapi-na.amazon.com/"}),
        ("headers", {"headers": [pb2.HttpHeader(name="a")] * 101}),
        ("headers[0].name", {"headers": [pb2.HttpHeader(value="x")]}),
        ("headers[0].name", {"headers": [pb2.HttpHeader(name="a b")]}),
        ("headers[0].name", {"headers": [pb2.HttpHeader(name="a:b")]}),
        ("headers[0].name", {"headers": [pb2.HttpHeader(name="x" * 257)]}),
        ("headers[0].name", {"headers": [pb2.HttpHeader(name="Host", value="sts.amazonaws.com")]}),
        ("headers[0].value", {"headers": [pb2.HttpHeader(name="a", value="x\r\nHost: y")]}),
        ("headers[0].value", {"headers": [pb2.HttpHeader(name="a", value="ä")]}),
        ("headers[0].value", {"headers": [pb2.HttpHeader(name="a", value="x" * 8193)]}),
        ("payload_sha256", {"payload_sha256": "UNSIGNED-PAYLOAD"}),
        ("payload_sha256", {"payload_sha256": "A" * 64}),
        ("payload_sha256", {"payload_sha256": "a" * 63}),
        ("payload_sha256", {"payload_sha256": "a" * 65}),
    ],
)
async def test_every_field_of_a_request_to_sign_has_its_rule(desk: Desk, field_name: str, fields: Any) -> None:
    given = {"account_id": desk.accounts.add(), "method": "GET", "url": f"{HOST}/orders", **fields}
    error = await desk.refused("SignRequest", pb2.SignRequestRequest(**given), "client/demo")
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, Reason.INVALID_REQUEST)
    assert [violation.field for violation in error.violations] == [field_name]
