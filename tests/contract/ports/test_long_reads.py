"""Reads and changes of many rows: the event loop runs other callbacks between parts of bounded size."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.applications import LwaClient
from sellergate_account.storage import audit_log, rewrapper, row_macs
from sellergate_account.storage.database import Database
from sellergate_account.storage.rewrapper import SqlRewrapper
from sellergate_account.storage.store import SqlStore

from tests.contract.ports.sent_statements import statements
from tests.contract.ports.test_account_store import INDEX_KEY, database
from tests.contract.ports.test_rewrap import BOTH
from tests.fakes.account import Domain

__all__ = ["database"]
ACCOUNTS, PART = 12, 3


@pytest.fixture
async def domain(database: Database) -> Domain:
    domain = Domain(SqlStore(database, BOTH, INDEX_KEY))
    client = LwaClient(SecretStr("amzn1.client"), SecretStr("secret"))
    for number in range(ACCOUNTS):
        token = SecretStr(f"Atzr|{number}")
        await domain.accounts.upsert(Connection("u1", f"SELLER{number}", "US", client=client, refresh_token=token))
    return domain


async def items_between_turns(items: AsyncIterator[object]) -> tuple[int, int]:
    """Return how many items came in all, and the most that came while no other callback ran."""
    turns, counts = 0, dict[int, int]()

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    try:
        async for _ in items:
            counts[turns] = counts.get(turns, 0) + 1
    finally:
        ticking.cancel()
    return sum(counts.values()), max(counts.values())


async def test_rows_are_checked_in_parts(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_macs, "ROWS_AT_ONCE", PART)
    async with domain.store.reading() as work:
        total, most = await items_between_turns(work.stored_rows())
    assert total > ACCOUNTS
    assert most <= PART


async def test_events_are_checked_in_parts(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "EVENTS_AT_ONCE", PART)
    async with domain.store.reading() as work:
        total, most = await items_between_turns(work.audit_log.events([""]))
    assert total >= ACCOUNTS
    assert most <= PART


async def test_a_large_batch_is_sealed_again_in_parts(
    domain: Domain, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrapper, "ROWS_AT_ONCE", PART)
    with statements() as seen:
        batch = await SqlRewrapper(database, BOTH).rewrap("accounts", "", ACCOUNTS + PART)
    assert (batch.skipped, batch.last_id) == (ACCOUNTS, "")
    assert seen.count("SELECT accounts") == ACCOUNTS // PART + 1
