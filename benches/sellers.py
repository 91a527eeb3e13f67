"""Many sellers of one application: known to the simulated Amazon, and connected by the account service or stored directly."""

import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sellergate.account.v1 import account_service_pb2, application_pb2, application_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_account.ids import new_uuid7
from sellergate_account.storage.database import open_database
from sellergate_account.storage.store import SqlStore
from sellergate_common.crypto.sealing import KeyRing, parse_key
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.suite import Suite

from benches.measuring import Measurement, measure_each
from benches.suites import CALL, Bench, Server, bench_suite, running, settings_of

BATCH = 5_000
CONNECTING = 16
MARKETPLACE = "ATVPDKIKX0DER"


@dataclass
class Sellers:
    """Sellers of one application, with their accounts in the order in which they were added."""

    suite: Suite
    database: str
    application_id: str = ""
    client_id: str = field(default_factory=lambda: f"amzn1.application-oa2-client.{secrets.token_hex(16)}")
    client_secret: str = field(default_factory=lambda: f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}")
    accounts: list[str] = field(default_factory=list)
    _known: int = 0

    async def create_application(self) -> None:
        """Create the application that all sellers authorize."""
        created = await self._invoke(
            ApplicationServiceStub,
            "CreateApplication",
            application_service_pb2.CreateApplicationRequest(
                application=application_pb2.Application(name="Bench"),
                lwa_client_id=self.client_id,
                lwa_client_secret=self.client_secret,
            ),
        )
        self.application_id = created.application.application_id

    async def connect(self, count: int) -> Measurement:
        """Connect sellers by the account service, and return the measurement of these calls."""
        tokens, pids = await self._authorize(count), {"account": self.suite.pids["account"]}
        async with self._channel() as channel:
            stub = AccountServiceStub(channel)

            async def connect(seller_id: str, token: str) -> None:
                request = account_service_pb2.UpsertAccountRequest(
                    user_id=f"user-{seller_id}",
                    amazon_seller_id=seller_id,
                    marketplace="US",
                    application_id=self.application_id,
                    refresh_token=token,
                )
                connected = await invoke(stub.UpsertAccount, request, dependency="account", seconds=60)
                self.accounts.append(connected.account.account_id)

            calls = ((lambda one=one: connect(*one)) for one in tokens.items())
            return await measure_each(calls, pids, CONNECTING)

    async def store(self, count: int) -> None:
        """Store the accounts of further sellers in the database, with the account service's keys and in the form of the first."""
        keys, tokens = self.suite.plan.state.key_file, list((await self._authorize(count)).items())
        ring = KeyRing.parse(keys("sealing").read_text())
        index_key = parse_key(keys("index").read_text().strip(), "the index key")
        async with open_database(self.database) as database:
            store = SqlStore(database, ring, index_key)
            async with store.reading() as work:
                first = await work.accounts.get(self.accounts[0])
            assert first is not None  # noqa: S101  (it was connected before)
            for begin in range(0, count, BATCH):
                async with store.writing() as work:
                    for seller_id, token in tokens[begin : begin + BATCH]:
                        account = replace(
                            first, account_id=new_uuid7(), user_id=f"user-{seller_id}", amazon_seller_id=seller_id
                        )
                        await work.accounts.add(account, SecretStr(token))
                        self.accounts.append(account.account_id)

    async def _authorize(self, count: int) -> dict[str, str]:
        """Let sellers authorize the application at the simulated Amazon; return their refresh tokens."""
        numbers = range(self._known, self._known + count)
        self._known += count
        tokens = {f"A{number:013d}": f"Atzr|{secrets.token_urlsafe(270)}" for number in numbers}
        application = {"application_id": "amzn1.sp.solution.bench", "client_id": self.client_id}
        sellers = [
            {
                "selling_partner_id": seller_id,
                "marketplace_ids": [MARKETPLACE],
                "refresh_tokens": [{"client_id": self.client_id, "refresh_token": token}],
            }
            for seller_id, token in tokens.items()
        ]
        seed = {"applications": [application | {"client_secret": self.client_secret}], "sellers": sellers}
        async with httpx.AsyncClient(base_url=self.suite.simulator or "", timeout=60, trust_env=False) as control:
            (await control.post("/control/seed", json=seed)).raise_for_status()
        return tokens

    def _channel(self) -> Any:
        return open_channel(self.suite.target("account"), "account", self.suite.identity("operator"), [])

    async def _invoke(self, stub: Any, method: str, request: Any) -> Any:
        async with self._channel() as channel:
            return await invoke(getattr(stub(channel), method), request, dependency="account")


@asynccontextmanager
async def opened_sellers(database: str) -> AsyncIterator[tuple[Bench, Sellers, Server]]:
    """Run a suite on a database, with an application and an upstream that costs little; yield it with its gateway."""
    async with AsyncExitStack() as stack:
        folder, (port,) = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_ports(1)
        url = database or f"sqlite:///{folder / 'accounts.sqlite'}"
        stack.enter_context(running([sys.executable, "-m", "benches.servers.upstream", str(port), "0"], port))
        stack.enter_context(settings_of(DATABASE_URL=url, SELLERGATE_SPAPI_ENDPOINT_NA=f"http://{LOOPBACK}:{port}"))
        suite = await stack.enter_async_context(bench_suite(folder))
        bench, sellers = Bench(suite, stack, folder, "", b"", b""), Sellers(suite, url)
        await sellers.create_application()
        target = suite.target("gateway")
        yield bench, sellers, Server(await bench.method("gateway", target, CALL), target, suite.pids["gateway"])
