"""The SQL statements of each RPC of the account service: a row is read once, and written once with all of its changes."""

import pytest
from sellergate.account.v1 import account_secrets_service_pb2 as secrets_pb2
from sellergate.account.v1 import account_service_pb2 as pb2
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_common.context import Caller

from tests.contract.ports.account_servicers import Servicers
from tests.contract.ports.sent_statements import statements
from tests.contract.ports.test_account_store import INDEX_KEY, RING, database
from tests.fakes.account import Domain

__all__ = ["database"]
TOKEN = Caller("token")
END = "audit_count audit_mac audit_seal"
APPEND = ["INSERT audit_events", f"UPDATE audit_chains {END}"]
RENEWED = "refresh_token_sealed revision version update_time"


@pytest.fixture
def servicers(database: Database) -> Servicers:
    return Servicers(Domain(SqlStore(database, RING, INDEX_KEY)))


def connection(seller: str, refresh_token: str = "Atzr|1", key: str = "") -> pb2.UpsertAccountRequest:
    return pb2.UpsertAccountRequest(
        user_id="u1",
        amazon_seller_id=seller,
        marketplace="US",
        lwa_client_id="amzn1.client",
        lwa_client_secret="secret",
        refresh_token=refresh_token,
        idempotency_key=key,
    )


async def test_connecting_a_seller(servicers: Servicers, database: Database) -> None:
    read = ["SELECT accounts", "SELECT applications"]
    with statements() as of_first:
        await servicers.call(connection("SELLER1"))
    assert of_first == [
        *read,
        "SELECT accounts",  # and the user's other rows
        "SELECT audit_chains",
        "INSERT external_ids",
        "INSERT applications",
        "INSERT accounts",
        *APPEND,
    ]
    with statements() as of_second:
        await servicers.call(connection("SELLER2"))
    assert of_second == [*read, "SELECT accounts", "SELECT audit_chains", "INSERT accounts", *APPEND]
    with statements() as of_same:
        await servicers.call(connection("SELLER2"))
    assert of_same == read
    with statements() as of_renewal:
        await servicers.call(connection("SELLER2", "Atzr|2"))
    assert of_renewal == [*read, f"UPDATE accounts {RENEWED} {END} row_mac", "INSERT audit_events"]


async def test_a_key_of_idempotency_adds_four(servicers: Servicers, database: Database) -> None:
    await servicers.call(connection("SELLER1"))
    with statements() as seen:
        await servicers.call(connection("SELLER1", key="key"))
    claim = ["SELECT keyed_requests", "INSERT keyed_requests", "SELECT keyed_requests"]
    response = "UPDATE keyed_requests response_sealed row_mac"
    assert seen == [*claim, "SELECT accounts", "SELECT applications", response]


async def test_reading_an_account_and_its_secrets(servicers: Servicers, database: Database) -> None:
    account = (await servicers.call(connection("SELLER1"))).account
    with statements() as of_account:
        found = await servicers.call(pb2.GetAccountRequest(account_id=account.account_id))
    assert of_account == ["SELECT accounts"]
    assert found.account == account
    assert not found.shared_application
    with statements() as of_secrets:
        opened = await servicers.call(secrets_pb2.GetAccountSecretsRequest(account_id=account.account_id), TOKEN)
    change = f"UPDATE accounts {END} row_mac"
    assert of_secrets == ["SELECT accounts", "SELECT accounts", change, "INSERT audit_events"]
    assert (opened.refresh_token, opened.application.client_secret) == ("Atzr|1", "secret")
