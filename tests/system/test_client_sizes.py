"""Lists of 500 drop-in clients of 1,000 accounts each: what one request for a page costs the account service in memory."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sellergate.account.v1 import drop_in_client_service_pb2 as pb2
from sellergate.account.v1.drop_in_client_service_pb2_grpc import DropInClientServiceStub
from sellergate_account.model import DropInClient
from sellergate_account.storage.clients import MOST_HANDLES
from sellergate_account.storage.database import open_database
from sellergate_account.storage.store import SqlStore
from sellergate_common.crypto.sealing import KeyRing, parse_key
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.suite import Suite

from tests.contract.ports.test_account_store import CLIENT, NOW, account, application
from tests.e2e.operators import running_account
from tests.system.processes import peaks

CLIENTS, ACCOUNTS = 500, 1_000
PAGES_AT_ONCE = 5
MOST_MEGABYTES = 80.0
"""Of five pages at once. Without a bound of a page's accounts, one page of these clients was 580 MB."""


async def fill(suite: Suite) -> None:
    """Store the clients directly in the database, with the service's keys."""
    state = suite.plan.state
    ring = KeyRing.parse(state.key_file("sealing").read_text())
    index_key = parse_key(state.key_file("index").read_text(), "the index key")
    async with open_database(f"sqlite:///{state.folder / 'account.sqlite'}") as database:
        store, ids = SqlStore(database, ring, index_key), [f"account-{number:028}" for number in range(ACCOUNTS)]
        async with store.writing() as work:
            await work.applications.add(application(), CLIENT)
            for number, one in enumerate(ids):
                await work.accounts.add(account(one, f"SELLER{number}"), SecretStr("Atzr|1"))
        for number in range(CLIENTS):
            client = DropInClient(f"sgc_{number:06}", "u1", "one", tuple(ids), NOW + timedelta(seconds=number))
            digests = {one: hashlib.sha256(f"{number} {one}".encode()).hexdigest() for one in ids}
            async with store.writing() as work:
                await work.clients.add(client, "0" * 64, digests)
            await asyncio.sleep(0)


@pytest.mark.timeout(900)
async def test_pages_of_clients_with_many_accounts_cost_little_memory(tmp_path: Path) -> None:
    found: dict[str, float] = {}
    async with running_account(tmp_path / "state") as suite:
        await fill(suite)
        async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
            stub = DropInClientServiceStub(channel)

            async def page(token: str = "") -> pb2.ListClientsResponse:
                request = pb2.ListClientsRequest(user_id="u1", page_size=500, page_token=token)
                return await invoke(stub.ListClients, request, seconds=60, dependency="account")

            with peaks(suite, ["account"], "pages", found):
                for response in await asyncio.gather(*(page() for _ in range(PAGES_AT_ONCE))):
                    assert sum(len(client.account_ids) for client in response.clients) <= MOST_HANDLES
                    assert response.ByteSize() <= 1_100_000
            print(f"\n{PAGES_AT_ONCE} pages of {CLIENTS} clients with {ACCOUNTS} accounts each: {found}")
            assert found["account: pages"] < MOST_MEGABYTES
            names, token = set[str](), ""
            while True:
                response = await page(token)
                names |= {client.client_id for client in response.clients}
                token = response.next_page_token
                if not token:
                    break
            assert len(names) == CLIENTS, "all of them are listed, page by page"
