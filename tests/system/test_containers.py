"""The contracts of ports on the servers of the deployed images, through testcontainers."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from sellergate_account.ports.unit_of_work import Store
from sellergate_account.storage.database import open_database
from sellergate_account.storage.migrating import BASE, HEAD, migrate
from sellergate_account.storage.store import SqlStore
from sellergate_common.redis_client import open_redis

from tests.contract.ports import test_account_store as contract
from tests.contract.ports import test_quota as quota_contract
from tests.fakes.gateway import shared_replica
from tests.system.conftest import Need

pytestmark = pytest.mark.containers
POSTGRES, REDIS = "postgres:17-alpine", "redis:8-alpine"
# The helper container that testcontainers would pull to clean up; the fixtures clean up themselves.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

STORE_TESTS = [
    contract.test_stored_values_are_read_back,
    contract.test_a_key_is_stored_once,
    contract.test_a_failed_transaction_stores_nothing,
    contract.test_a_saved_account_keeps_its_token_through_revisions,
    contract.test_applications_are_listed_in_order_by_owner_and_kept_whole,
    contract.test_an_application_that_accounts_use_is_not_removed,
    contract.test_pages_follow_each_other_without_gap_or_overlap,
]
QUOTA_TESTS = [
    quota_contract.test_a_refusal_reserves_nothing,
    quota_contract.test_a_reported_rate_wakes_waiting_callers,
]


@pytest.fixture
def postgres_in_docker(need: Need) -> Iterator[str]:
    need.image(POSTGRES)
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(POSTGRES, driver="psycopg") as server:
        yield server.get_connection_url()


@pytest.fixture
def redis_in_docker(need: Need) -> Iterator[str]:
    need.image(REDIS)
    from testcontainers.community.redis import RedisContainer

    with RedisContainer(REDIS) as server:
        yield f"redis://{server.get_container_host_ip()}:{server.get_exposed_port(6379)}"


@pytest.fixture
async def store(postgres_in_docker: str) -> AsyncIterator[Store]:
    # Docker may publish its ports at an address of its own bridge, which is not this machine to a client that demands TLS.
    async with open_database(postgres_in_docker, allow_plain=True) as database:
        await migrate(database.engine, HEAD)
        made = SqlStore(database, contract.RING, contract.INDEX_KEY)
        async with made.writing() as work:
            await work.applications.add(contract.application(), contract.CLIENT)
        yield made
        await migrate(database.engine, BASE)


@pytest.mark.parametrize("check", STORE_TESTS, ids=lambda check: check.__name__)
async def test_the_store_of_accounts(store: Store, check: object) -> None:
    await check(store)  # type: ignore[operator]


@pytest.mark.parametrize("check", QUOTA_TESTS, ids=lambda check: check.__name__)
async def test_quota(redis_in_docker: str, check: object) -> None:
    async with open_redis(SecretStr(redis_in_docker)) as redis:
        await check(shared_replica(redis).limiter)  # type: ignore[operator]
