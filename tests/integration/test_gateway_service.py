"""The running gateway, with mutual TLS, the real services and Redis, and the simulator as Amazon."""

import asyncio
import json
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from sellergate.account.v1 import account_service_pb2 as accounts
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.gateway.v1 import call_pb2, operation_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_amazon.operations import Catalogue
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

OWN = ("edge", "account", "token", "iam", "gateway")
READ, READ_NAME = "/sellers/v1/account", "sellers/v1/getAccount"
WRITE, WRITE_NAME = "/reports/2021-06-30/schedules", "reports/2021-06-30/createReportSchedule"
ITEM, ITEM_NAME = "/catalog/2022-04-01/items/B0%2F1", "catalog-items/2022-04-01/getCatalogItem"
AS_IS = call_pb2.ANSWER_MODE_AS_IS


@dataclass
class Desk:
    """The suite, stubs of an internal service, and the simulator's control."""

    suite: Suite
    gateway: GatewayServiceStub
    accounts: AccountServiceStub
    control: httpx.AsyncClient

    async def connect(self, *, role: bool = False, user: str = "u1", marketplace: str = "US") -> str:
        """Make a new seller with a new application, connect it and return the account's id."""
        name = secrets.token_hex(6).upper()
        client_id, token, arn = f"client-{name}", f"Atzr|{name}", f"arn:aws:iam::123456789012:role/{name}"
        marketplace_id = {"US": "ATVPDKIKX0DER", "DE": "A1PA6795UKMFR9"}[marketplace]
        grant = {"client_id": client_id, "refresh_token": token}
        seller = {"selling_partner_id": f"A{name}", "marketplace_ids": [marketplace_id], "refresh_tokens": [grant]}
        application = {"application_id": f"app-{name}", "client_id": client_id, "client_secret": f"secret-{name}"}
        await self.post_control("seed", applications=[application], sellers=[seller], roles=[{"arn": arn}])
        request = accounts.UpsertAccountRequest(
            user_id=user,
            amazon_seller_id=f"A{name}",
            marketplace=marketplace,
            lwa_client_id=client_id,
            lwa_client_secret=f"secret-{name}",
            refresh_token=token,
            iam_role_arn=arn if role else "",
        )
        return str((await invoke(self.accounts.UpsertAccount, request, dependency="account")).account.account_id)

    async def post_control(self, what: str, **document: Any) -> None:
        response = await self.control.post(f"/control/{what}", json=document)
        assert response.is_success, response.text

    async def counted(self) -> Any:
        return (await self.control.get("/control/counters")).json()

    async def operation(self, name: str) -> dict[str, int]:
        return dict((await self.counted())["operations"].get(name, {"calls": 0, "executions": 0, "throttled": 0}))

    async def call(
        self, account_id: str, method: str = "GET", path: str = READ, seconds: float = 20.0, **more: Any
    ) -> call_pb2.CallResponse:
        request = call_pb2.CallRequest(account_id=account_id, method=method, path=path, **more)
        return await invoke(self.gateway.Call, request, dependency="gateway", seconds=seconds)

    async def refused(self, account_id: str, *given: Any, **more: Any) -> SellergateError:
        with pytest.raises(SellergateError) as caught:
            await self.call(account_id, *given, **more)
        return caught.value


def ports() -> dict[str, int]:
    """Free ports; the simulator takes five in a row."""
    while True:
        (base,) = free_ports(1)
        try:
            probes = [socket.create_server((LOOPBACK, base + offset)) for offset in range(5)]
        except (OSError, OverflowError):
            continue
        for probe in probes:
            probe.close()
        return {**{f"{n}_port": p for n, p in zip(OWN, free_ports(len(OWN)), strict=True)}, "simulator_port": base}


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = DevstackSettings(state_dir=folder, log_level="debug", simulator="on", **ports())
    async with running_suite(settings, lambda _: None) as suite:
        client, operator = suite.identity("client/demo"), suite.identity("operator")
        async with (
            open_channel(suite.target("gateway"), "gateway", client, []) as gateway,
            open_channel(suite.target("account"), "account", operator, []) as account,
            httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as control,
        ):
            yield Desk(suite, GatewayServiceStub(gateway), AccountServiceStub(account), control)


@pytest.fixture(autouse=True)
async def plain(desk: Desk) -> AsyncIterator[None]:
    """Raise the rates so that no test waits, and remove the faults of earlier tests."""
    await desk.post_control("reset")
    await desk.post_control("rates", scale=1000, burst_scale=100)
    yield
    await desk.post_control("reset")


async def test_a_call_returns_the_response_and_its_diagnostics(desk: Desk) -> None:
    account_id = await desk.connect(role=True)
    response = await desk.call(account_id, path=ITEM, raw_query="b=%2f&marketplaceIds=ATVPDKIKX0DER&a")
    assert (response.http_status, response.attempts, response.operation) == (200, 1, ITEM_NAME)
    assert response.amazon_request_id
    assert response.rate_limit == 2000
    echo = json.loads(response.body)["echo"]
    assert (echo["path"], echo["query"]) == (ITEM, "b=%2f&marketplaceIds=ATVPDKIKX0DER&a")
    counted = await desk.counted()
    await asyncio.gather(
        *(desk.call(account_id, path=ITEM, raw_query="marketplaceIds=ATVPDKIKX0DER") for _ in range(20))
    )
    after = await desk.counted()
    assert after["lwa"]["exchanges"] == counted["lwa"]["exchanges"]
    assert after["sts"]["assume_role"] == counted["sts"]["assume_role"]


async def test_the_marketplace_determines_host_and_signing_region(desk: Desk) -> None:
    account_id = await desk.connect(role=True, marketplace="DE")
    assert (await desk.call(account_id)).http_status == 200
    request = pb2.CheckAccountRequest(account_id=account_id)
    checked = await invoke(desk.gateway.CheckAccount, request, dependency="gateway")
    outcomes = {s.name: pb2.CheckOutcome.Name(s.outcome).removeprefix("CHECK_OUTCOME_") for s in checked.stages}
    # The account is stored without a region, that is with us-east-1, and a marketplace that signs for eu-west-1.
    assert outcomes.pop("role") in ("OK", "CACHED")  # the previous call has assumed the role
    assert outcomes == {"stored": "WARNING", "token": "OK", "call": "OK"}


@pytest.mark.parametrize(
    ("kind", "read", "read_calls", "write", "write_calls"),
    [
        ("429", Reason.AMAZON_QUOTA_EXCEEDED, 4, Reason.AMAZON_QUOTA_EXCEEDED, 4),
        ("429_no_header", Reason.AMAZON_QUOTA_EXCEEDED, 4, Reason.AMAZON_QUOTA_EXCEEDED, 4),
        ("503_json", Reason.AMAZON_UNAVAILABLE, 4, Reason.AMAZON_UNAVAILABLE, 4),
        ("503_html", Reason.AMAZON_UNAVAILABLE, 4, Reason.AMAZON_OUTCOME_UNKNOWN, 1),
        ("500_json", Reason.AMAZON_UNAVAILABLE, 4, Reason.AMAZON_OUTCOME_UNKNOWN, 1),
        ("500_html", Reason.AMAZON_UNAVAILABLE, 4, Reason.AMAZON_OUTCOME_UNKNOWN, 1),
        ("reset", Reason.AMAZON_UNAVAILABLE, 4, Reason.AMAZON_OUTCOME_UNKNOWN, 1),
        ("truncate", Reason.AMAZON_UNAVAILABLE, 4, Reason.AMAZON_OUTCOME_UNKNOWN, 1),
        # The token is replaced once; within the cool-off after that it is not replaced again.
        ("403_expired", Reason.AMAZON_DENIED, 2, Reason.AMAZON_DENIED, 1),
    ],
)
async def test_permanent_faults_are_a_typed_error_after_a_fixed_number_of_calls(
    desk: Desk, kind: str, read: Reason, read_calls: int, write: Reason, write_calls: int
) -> None:
    account_id = await desk.connect()
    await desk.call(account_id)  # learn the rates, so that no call below waits for a slot
    await desk.call(account_id, "POST", WRITE, answer_mode=AS_IS)
    await desk.post_control("faults", kind=kind)
    for method, path, name, reason, calls in (
        ("GET", READ, READ_NAME, read, read_calls),
        ("POST", WRITE, WRITE_NAME, write, write_calls),
    ):
        before = (await desk.operation(name))["calls"]
        error = await desk.refused(account_id, method, path)
        assert error.reason is reason, error.message
        assert error.domain == "sellergate.gateway"
        assert error.metadata["operation"] == name
        assert (await desk.operation(name))["calls"] - before == calls
        if reason in (Reason.AMAZON_QUOTA_EXCEEDED, Reason.AMAZON_UNAVAILABLE):
            assert error.retry_after
        if kind[0].isdigit():
            response = await desk.call(account_id, method, path, answer_mode=AS_IS)
            assert (response.http_status, response.attempts) == (int(kind[:3]), 1 if kind == "403_expired" else calls)
            assert response.body


async def test_an_expired_token_is_exchanged_again_and_the_write_executed_once(desk: Desk) -> None:
    account_id = await desk.connect()
    await desk.call(account_id)
    before, done = await desk.counted(), await desk.operation(WRITE_NAME)
    await desk.post_control("faults", kind="403_expired", count=1)
    response = await desk.call(account_id, "POST", WRITE, answer_mode=AS_IS)
    assert (response.http_status // 100, response.attempts) == (2, 2)
    assert (await desk.counted())["lwa"]["exchanges"] - before["lwa"]["exchanges"] == 1
    assert (await desk.operation(WRITE_NAME))["executions"] - done["executions"] == 1


@pytest.mark.parametrize("executed", [True, False])
async def test_a_write_is_never_executed_twice_or_lost_without_an_error(desk: Desk, executed: bool) -> None:
    account_id = await desk.connect()
    await desk.call(account_id, "POST", WRITE, answer_mode=AS_IS)
    before = (await desk.operation(WRITE_NAME))["executions"]
    for kind in ("reset", "truncate", "500_json", "503_html"):
        await desk.post_control("faults", kind=kind, probability=0.15, executed=executed, operation=WRITE_NAME)
    for kind in ("429", "503_json"):
        await desk.post_control("faults", kind=kind, probability=0.15, operation=WRITE_NAME)
    results: Counter[str] = Counter()

    async def write() -> None:
        try:
            await desk.call(account_id, "POST", WRITE)
            results["done"] += 1
        except SellergateError as error:
            results[error.reason] += 1

    for _ in range(5):
        await asyncio.gather(*(write() for _ in range(16)))
    done = (await desk.operation(WRITE_NAME))["executions"] - before
    unknown = results[Reason.AMAZON_OUTCOME_UNKNOWN]
    assert set(results) <= {
        "done",
        Reason.AMAZON_OUTCOME_UNKNOWN,
        Reason.AMAZON_QUOTA_EXCEEDED,
        Reason.AMAZON_UNAVAILABLE,
    }
    assert unknown > 5
    assert done == results["done"] + (unknown if executed else 0)


async def test_a_call_of_a_slow_amazon_ends_within_the_callers_deadline(desk: Desk) -> None:
    account_id = await desk.connect()
    await desk.call(account_id)
    await desk.post_control("faults", kind="slow", delay_seconds=5)
    for method, path, reason in (
        ("GET", READ, Reason.DEADLINE_EXCEEDED),
        ("POST", WRITE, Reason.AMAZON_OUTCOME_UNKNOWN),
    ):
        started = time.monotonic()
        error = await desk.refused(account_id, method, path, seconds=1.0)
        assert (error.reason, error.domain) == (reason, "sellergate.gateway")
        # The reason is the gateway's own, so it came before the caller's deadline.
        assert time.monotonic() - started > 0.8


async def test_a_call_waits_for_quota_or_is_refused_at_once(desk: Desk) -> None:
    await desk.post_control("rates", scale=1)
    account_id = await desk.connect()
    path, query = (
        "/fba/inventory/v1/summaries",
        ("granularityType=Marketplace&granularityId=ATVPDKIKX0DER&marketplaceIds=ATVPDKIKX0DER"),
    )
    before = (await desk.counted())["throttled"]
    responses = await asyncio.gather(*(desk.call(account_id, path=path, raw_query=query) for _ in range(4)))
    waited = sorted(response.waited.ToMilliseconds() / 1000 for response in responses)
    # 2 per second, burst 2; the first call that finds the bucket empty waits longer by a guard of 0.1 s.
    assert waited == pytest.approx([0, 0, 0.6, 1.1], abs=0.15)
    await desk.call(account_id, path=path, raw_query=query)
    error = await desk.refused(account_id, path=path, raw_query=query, max_wait=Duration())
    assert error.reason is Reason.LOCAL_QUOTA_EXCEEDED
    assert error.retry_after == pytest.approx(0.5, abs=0.15)
    assert (await desk.counted())["throttled"] == before
    name = "fba-inventory/v1/getInventorySummaries"
    request = pb2.GetQuotaRequest(account_id=account_id, operation=name)
    quota = (await invoke(desk.gateway.GetQuota, request, dependency="gateway")).quota
    assert (quota.rate, quota.burst, quota.remaining) == (2, 2, 0)
    assert quota.source == operation_pb2.QUOTA_SOURCE_CATALOGUE


async def test_a_rate_raised_a_thousandfold_is_learned_from_one_response(desk: Desk) -> None:
    account_id = await desk.connect()
    await desk.call(account_id)  # the catalogue has 0.0167 per second: the calls below would wait half an hour
    responses = await asyncio.gather(*(desk.call(account_id) for _ in range(30)))
    assert {response.http_status for response in responses} == {200}


async def test_a_changed_account_is_effective_at_once(desk: Desk) -> None:
    account_id = await desk.connect()
    await desk.call(account_id)
    await invoke(
        desk.accounts.DeleteAccount, accounts.DeleteAccountRequest(account_id=account_id), dependency="account"
    )
    await asyncio.sleep(0.2)  # the change is published through Redis
    assert (await desk.refused(account_id)).reason is Reason.ACCOUNT_INACTIVE
    assert (await desk.refused("nobody")).reason is Reason.ACCOUNT_NOT_FOUND


async def test_only_permitted_identities_may_call(desk: Desk) -> None:
    mine, suite = await desk.connect(user="u1"), desk.suite
    request = call_pb2.CallRequest(account_id=mine, method="GET", path=READ)

    async def as_(identity: str, user: str = "") -> Reason | None:
        async with open_channel(suite.target("gateway"), "gateway", suite.identity(identity), []) as channel:
            try:
                stub = GatewayServiceStub(channel)
                await invoke(stub.Call, request, dependency="gateway", seconds=10, on_behalf_of=user)
            except SellergateError as error:
                return error.reason
        return None

    assert await as_("edge", "u1") is None
    assert await as_("edge", "u2") is Reason.ACCOUNT_NOT_FOUND
    assert await as_("edge") is Reason.CALLER_UNAUTHENTICATED
    assert await as_("client/other", "u1") is Reason.CALLER_NOT_ALLOWED
    assert await as_("token") is Reason.CALLER_NOT_ALLOWED
    async with grpc.aio.insecure_channel(suite.target("gateway")) as plain_text:
        with pytest.raises(grpc.aio.AioRpcError):
            await GatewayServiceStub(plain_text).Call(request, timeout=2)


async def test_the_catalogue_is_listed_page_by_page(desk: Desk) -> None:
    names: list[str] = []
    token = ""
    while True:
        request = pb2.ListOperationsRequest(page_size=150, page_token=token)
        page = await invoke(desk.gateway.ListOperations, request, dependency="gateway")
        names += [operation.name for operation in page.operations]
        token = page.next_page_token
        if not token:
            break
    assert names == sorted(operation.name for operation in Catalogue.load())
    found = await invoke(desk.gateway.GetOperation, pb2.GetOperationRequest(name="searchOrders"), dependency="gateway")
    assert found.operation.name == "orders/2026-01-01/searchOrders"


async def test_a_warm_call_is_one_redis_command_and_one_request(desk: Desk) -> None:
    account_id, calls = await desk.connect(role=True), 40
    await desk.call(account_id)
    await desk.call(account_id)
    async with open_redis(SecretStr(desk.suite.plan.redis_address)) as redis:

        async def counts() -> Counter[str]:
            stats = await redis.info("commandstats")
            return Counter({name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in stats.items()})

        requests = (await desk.operation(READ_NAME))["calls"]
        before = await counts()
        for _ in range(calls):
            await desk.call(account_id)
        used = await counts() - before
        assert (await desk.operation(READ_NAME))["calls"] - requests == calls
    assert used["evalsha"] == calls
    # Every two seconds, and not per call, each replica reads the captures.
    assert used.pop("hgetall", 0) < calls / 4
    # Every thirty seconds each process measures the skew of the clocks.
    assert used.pop("eval", 0) < calls / 4
    # Commands of scripts are counted too; the others are health probes.
    for inside in ("time", "hmget", "hset", "pexpire", "evalsha", "info", "ping", "client|setinfo", "hello", "auth"):
        del used[inside]
    assert sum(used.values()) == 0, used


async def test_no_log_holds_a_token(desk: Desk) -> None:
    await desk.call(await desk.connect(role=True))
    log = desk.suite.log("gateway").read_text()
    assert "GatewayService/Call" in log
    assert not [word for word in ("Atza|", "Atzr|", "AWS4-HMAC", "secret-") if word in log]
