"""Reports on ends, on real databases: the counts of all, each of the soonest ends, and the last report during an outage."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr
from sellergate_account import expiry_metrics
from sellergate_account.expiries import MOST_SINGLE, report_expiries
from sellergate_account.model import State
from sellergate_account.storage.database import Database
from sellergate_account.storage.expiries import SqlExpiries
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import Unavailable
from sellergate_common.tasks import BackgroundTasks

from tests.contract.ports.test_account_store import (
    CLIENT,
    INDEX_KEY,
    NOW,
    RING,
    account,
    application,
    migrated,
)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with migrated(request.param, request) as opened:
        yield opened


async def ending(database: Database, *days: float, state: State = State.ACTIVE) -> None:
    """Store accounts whose authorizations expire after the given days; account "a-3.5" after 3.5."""
    async with SqlStore(database, RING, INDEX_KEY).writing() as work:
        if await work.applications.get("app") is None:
            await work.applications.add(application(), CLIENT)
        for number in days:
            name = f"a{number}".replace(".", "_")
            end = NOW + timedelta(days=number)
            row = account(f"{name}-{state}", f"S{name}{state}", authorization_expire_time=end, state=state)
            await work.accounts.add(row, SecretStr("Atzr|1"))


async def test_active_accounts_are_counted_by_window_and_the_soonest_are_named(database: Database) -> None:
    await ending(database, -2, 3.5, 10, 25, 45, 89, 200)
    await ending(database, 4, state=State.INACTIVE)
    await ending(database, 5, state=State.AUTHORIZATION_REVOKED)
    left = (await report_expiries(SqlStore(database, RING, INDEX_KEY), NOW)).authorizations
    assert left.within == {7: 2, 14: 3, 30: 4, 60: 5, 90: 6}
    assert left.single == {"a-2-ACTIVE": -2, "a3_5-ACTIVE": 3.5, "a10-ACTIVE": 10, "a25-ACTIVE": 25}
    assert left.unknown == 0


async def test_the_soonest_hundred_are_named(database: Database) -> None:
    await ending(database, *(29 - number / 10 for number in range(MOST_SINGLE + 20)))
    left = (await report_expiries(SqlStore(database, RING, INDEX_KEY), NOW)).authorizations
    assert len(left.single) == MOST_SINGLE
    assert max(left.single.values()) < 27.1
    assert left.within[30] == MOST_SINGLE + 20


async def test_the_operators_secrets_come_before_users_own_and_unknown_ends_are_counted(database: Database) -> None:
    async with SqlStore(database, RING, INDEX_KEY).writing() as work:
        for number in range(MOST_SINGLE):
            mine = replace(application(f"u{number}", f"user{number}"), secret_expire_time=NOW + timedelta(days=1))
            await work.applications.add(mine, CLIENT)
        shared = replace(application("shared", ""), secret_expire_time=NOW + timedelta(days=150))
        await work.applications.add(shared, CLIENT)
        await work.applications.add(application("unknown", "unknown-user"), CLIENT)
    left = (await report_expiries(SqlStore(database, RING, INDEX_KEY), NOW)).client_secrets
    assert (len(left.single), left.single["shared"]) == (MOST_SINGLE, 150)
    assert (left.within[7], left.within[90], left.unknown) == (MOST_SINGLE, MOST_SINGLE, 1)


async def test_the_last_counts_stay_while_the_database_is_down(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ending(database, 10)
    monkeypatch.setattr(expiry_metrics, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(expiry_metrics, "RETRY_SECONDS", 0.05)
    store, registry, time = SqlStore(database, RING, INDEX_KEY), CollectorRegistry(), [NOW]
    async with expiry_metrics.expiry_metrics(
        store, lambda: time[0], "k20260101", asyncio.sleep, BackgroundTasks(), registry
    ):
        text = await text_with(registry, 'sellergate_authorization_days_left{account_id="a10-ACTIVE"} 10.0')
        assert 'sellergate_authorizations_ending{within_days="7"} 0.0' in text
        assert 'sellergate_authorizations_ending{within_days="14"} 1.0' in text
        assert "sellergate_client_secrets_end_unknown 1.0" in text
        assert "sellergate_sealing_key_age_days" in text
        with monkeypatch.context() as broken:

            async def down(*_: object) -> None:
                raise Unavailable("down")

            broken.setattr(SqlExpiries, "authorizations", down)
            time[0] += timedelta(days=5)
            await asyncio.sleep(0.3)
            assert (
                'sellergate_authorization_days_left{account_id="a10-ACTIVE"} 10.0' in generate_latest(registry).decode()
            )
        await text_with(registry, 'sellergate_authorization_days_left{account_id="a10-ACTIVE"} 5.0')
    assert not generate_latest(registry)


async def text_with(registry: CollectorRegistry, line: str) -> str:
    for _ in range(100):
        text = generate_latest(registry).decode()
        if line in text:
            return text
        await asyncio.sleep(0.05)
    raise AssertionError(f"no metric is {line}")
