"""The measured sizes of docs/capacity.md: a seller in Redis, an account and an event in PostgreSQL."""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_account.accounts import Connection
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.store import SqlStore
from sellergate_common.crypto.sealing import KeyRing, encode_key
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import running_suite
from sqlalchemy import text

from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, application
from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.sellers import Seller
from tests.fakes.account import Domain
from tests.paths import ROOT
from tests.system.processes import processor_seconds

PAGE = (ROOT / "docs" / "capacity.md").read_text()
SELLERS, ACCOUNTS = 60, 2_000
# Amazon's refresh tokens have some 370 characters, its access tokens some 400.
TOKEN_CHARACTERS = 370
PATHS = ("sellers/v1/marketplaceParticipations", "reports/2021-06-30/reports", "orders/v0/orders")
PARAMS = {
    "MarketplaceIds": "ATVPDKIKX0DER",
    "CreatedAfter": "2026-01-01T00:00:00Z",
    "reportTypes": "GET_MERCHANT_LISTINGS_ALL_DATA",
}


def stated(what: str) -> float:
    """Return a size in the page's table, in KiB."""
    (found,) = re.findall(rf"^\| {what} \| ([\d.]+) KiB \|", PAGE, re.MULTILINE)
    return float(found)


def compare(what: str, kibibytes: float) -> None:
    print(f"\n{what}: {kibibytes:.2f} KiB, stated {stated(what)}")
    assert stated(what) / 2 <= kibibytes <= stated(what)


@pytest.mark.timeout(120)
async def test_a_seller_in_redis(tmp_path: Path) -> None:
    settings = DevstackSettings(state_dir=tmp_path / "s", simulator="on", **ephemeral_ports())
    async with (
        running_suite(settings, lambda _: None) as suite,
        httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as control,
        httpx.AsyncClient(base_url=suite.edge, timeout=30, trust_env=False) as http,
        Redis.from_url(suite.plan.redis_address) as redis,
    ):
        rest = Rest(suite, http)

        async def called(seller: Seller) -> None:
            account_id = await rest.connect(seller, seller.seller_id)
            for path in PATHS:
                url = f"/api/amazon/accounts/{account_id}/sp-api/{path}"
                await rest.request("GET", url, seller.seller_id, params=PARAMS)

        await called(await Seller.seeded(control))  # scripts and connections come with the first
        before, began = (await redis.info("memory"))["used_memory"], processor_seconds(suite)
        for _ in range(SELLERS):
            await called(await Seller.seeded(control))
        after, ended = (await redis.info("memory"))["used_memory"], processor_seconds(suite)
    cold = {name: (ended[name] - began[name]) / SELLERS * 1000 for name in ended}
    print("\nms of a processor, a seller from nothing: " + ", ".join(f"{name} {ms:.0f}" for name, ms in cold.items()))
    compare("Redis, a seller with calls of three operations within the hour", (after - before) / SELLERS / 1024)


@pytest.fixture
async def database(postgres_url_of: Callable[[], str]) -> AsyncIterator[Database]:
    async with open_database(postgres_url_of()) as opened:
        await migrate(opened.engine)
        yield opened


async def size(database: Database) -> int:
    async with database.engine.connect() as connection:
        await connection.execution_options(sellergate_single=True)  # VACUUM runs outside of a transaction
        await connection.execute(text("VACUUM FULL"))
        found: Any = await connection.scalar(text("SELECT pg_database_size(current_database())"))
    return int(found)


@pytest.mark.timeout(300)
async def test_an_account_and_an_event_in_postgresql(database: Database) -> None:
    store = SqlStore(database, KeyRing.parse(f"k1 {encode_key(secrets.token_bytes(64))}"), INDEX_KEY)
    async with store.writing() as work:
        await work.applications.add(application("app", ""), CLIENT)
    accounts = Domain(store).accounts
    empty, made = await size(database), []
    for number in range(ACCOUNTS):
        token = SecretStr(f"Atzr|{secrets.token_urlsafe(TOKEN_CHARACTERS)[:TOKEN_CHARACTERS]}")
        seller = Connection(f"u{number % 500}", f"A{number:013}", "US", "app", refresh_token=token)
        made.append((await accounts.upsert(seller))[0].account_id)
    filled = await size(database)
    for account_id in made:
        await accounts.note(account_id, "secrets.read", "")
    compare("PostgreSQL, an account with its two first events", (filled - empty) / ACCOUNTS / 1024)
    compare("PostgreSQL, an event of the audit log", (await size(database) - filled) / ACCOUNTS / 1024)
