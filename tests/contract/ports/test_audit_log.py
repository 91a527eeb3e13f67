"""The audit log on real databases: many writers leave no gap, and each change of a stored event is found."""

import asyncio

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.admin.audit_check import Finding, verify
from sellergate_account.admin.legacy_import import Import, Outcome, Row
from sellergate_account.applications import LwaClient
from sellergate_account.model import Account, Actor, Changes, Origin
from sellergate_account.ports.errors import NotAuthentic
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import NotFound, Unavailable
from sqlalchemy import text

from tests.contract.ports.sent_statements import statements
from tests.contract.ports.test_account_store import INDEX_KEY, RING, database
from tests.fakes.account import Domain

__all__ = ["database"]
WRITERS = 32


@pytest.fixture
def domain(database: Database) -> Domain:
    return Domain(SqlStore(database, RING, INDEX_KEY))


def connection(number: int = 0, external_ref: str | None = None) -> Connection:
    client = LwaClient(SecretStr("amzn1.client"), SecretStr("secret"))
    token = SecretStr("Atzr|1")
    return Connection("u1", f"SELLER{number}", "US", client=client, refresh_token=token, external_ref=external_ref)


async def connected(domain: Domain, number: int = 0) -> Account:
    account, _ = await domain.accounts.upsert(connection(number))
    return account


async def checked(domain: Domain, account_id: str = "") -> Finding:
    return await verify(domain.store, domain.audit, account_id)


async def run(database: Database, *statements: str) -> None:
    async with database.writing() as session:
        for statement in statements:
            await session.execute(text(statement))


async def test_events_of_a_transaction_read_their_chain_once_and_write_it_once(
    domain: Domain, database: Database
) -> None:
    account = await connected(domain)
    with statements() as of_global_chain:
        async with domain.store.writing() as work:
            await domain.audit.record(work.audit_log, "global")
            await domain.audit.record(work.audit_log, "global")
    with statements() as of_account:
        async with domain.store.writing() as work:
            await domain.audit.record(work.audit_log, "own", account.account_id)
            await domain.audit.record(work.audit_log, "own", account.account_id)
    ends = "audit_count audit_mac audit_seal"
    assert of_global_chain == ["SELECT audit_chains", "INSERT audit_events", f"UPDATE audit_chains {ends}"]
    assert of_account == ["SELECT accounts", f"UPDATE accounts {ends} row_mac", "INSERT audit_events"]
    assert (await checked(domain)).checked == 3 + 4  # those of the new account, and these


async def three_accounts(domain: Domain) -> str:
    """Create three accounts, with six events in the first one's chain; return the first one's ID."""
    first, *_ = [await connected(domain, number) for number in range(3)]
    for number in range(5):
        await domain.accounts.update(first.account_id, "u1", Changes(region=f"eu-west-{number + 1}"), "")
    return first.account_id


async def test_many_writers_on_one_account_leave_no_gap(domain: Domain) -> None:
    account = await connected(domain)

    async def write(number: int) -> None:
        if number % 2:
            await domain.accounts.secrets(account.account_id)
        else:
            await domain.accounts.update(account.account_id, "u1", Changes(region=f"xx-west-{number + 1}"), "")

    async def check() -> None:
        finding = await checked(domain)
        assert not finding.faults  # a concurrent writer is no fault

    await asyncio.gather(*(write(number) for number in range(WRITERS)), *(check() for _ in range(4)))
    events = await domain.audit.events(domain.store, account.account_id, 0, 999)
    assert [event.sequence for event in events] == list(range(1, WRITERS + 2))
    assert [event.action for event in events].count("secrets.read") == WRITERS // 2
    finding = await checked(domain)
    assert (finding.checked, finding.faults) == (WRITERS + 1 + 2, [])


async def test_many_writers_of_everything_leave_no_gap(domain: Domain) -> None:
    async def work(number: int) -> None:
        account = await connected(domain, number)
        issued = await domain.clients.create("u1", f"client {number}", [account.account_id])
        await domain.applications.secrets(account.application_id)
        await domain.clients.revoke(issued.client.client_id, "u1")
        if number % 3 == 0:
            await domain.accounts.remove(account.account_id, "u1", "")

    await asyncio.gather(*(work(number) for number in range(12)))
    finding = await checked(domain)
    assert not finding.faults
    names = [event.action for event in await domain.audit.events(domain.store, "", 0, 999)]
    assert names.count("account.created") == names.count("client.created") == names.count("client.revoked") == 12
    assert names.count("account.removed") == 4
    assert names.count("application.created") == 1


async def test_events_name_caller_user_and_request(domain: Domain) -> None:
    account = await connected(domain)
    domain.actor = Actor("token", "", "request-2")
    await domain.accounts.secrets(account.account_id)
    await domain.accounts.mark_revoked(account.account_id, account.revision)
    domain.actor = Actor("edge", "u1", "request-3")
    secrets = Changes(refresh_token=SecretStr("Atzr|2"), client_secret=SecretStr("secret-2"))
    await domain.accounts.update(account.account_id, "u1", secrets, "")
    await domain.accounts.set_active(account.account_id, "u1", "", active=False)
    events = await domain.audit.events(domain.store, account.account_id, 1, 999)
    assert [(event.action, event.caller, event.on_behalf_of, event.request_id, event.detail) for event in events] == [
        ("secrets.read", "token", "", "request-2", ""),
        ("authorization.revoked", "token", "", "request-2", "state"),
        ("account.updated", "edge", "u1", "request-3", "state,refresh_token,lwa_client_secret"),
        ("account.deactivated", "edge", "u1", "request-3", "state"),
    ]


TAMPERINGS = {
    "changed": (
        ["UPDATE audit_events SET caller = 'another' WHERE chain = '{id}' AND sequence = 3"],
        "event 3 was changed",
    ),
    "changed time": (
        ["UPDATE audit_events SET create_time = '2020-01-01 00:00:00' WHERE chain = '{id}' AND sequence = 3"],
        "event 3 was changed",
    ),
    "removed": (["DELETE FROM audit_events WHERE chain = '{id}' AND sequence = 3"], "between events 2 and 4"),
    "removed and renumbered": (
        [
            "DELETE FROM audit_events WHERE chain = '{id}' AND sequence = 5",
            "UPDATE audit_events SET sequence = 5 WHERE chain = '{id}' AND sequence = 6",
            "UPDATE accounts SET audit_count = 5 WHERE account_id = '{id}'",
        ],
        "event 5 was changed",
    ),
    "reordered": (
        [
            "UPDATE audit_events SET sequence = 99 WHERE chain = '{id}' AND sequence = 3",
            "UPDATE audit_events SET sequence = 3 WHERE chain = '{id}' AND sequence = 4",
            "UPDATE audit_events SET sequence = 4 WHERE chain = '{id}' AND sequence = 99",
        ],
        "event 3 was changed",
    ),
    "moved to another account": (
        ["UPDATE audit_events SET chain = 'elsewhere' WHERE chain = '{id}' AND sequence = 6"],
        "it has events, but its end is not stored",
    ),
    "tail cut": (
        ["DELETE FROM audit_events WHERE chain = '{id}' AND sequence > 4"],
        "it ends with event 4, but its stored end counts 6 events",
    ),
    "tail cut and end reset": (
        [
            "DELETE FROM audit_events WHERE chain = '{id}' AND sequence > 4",
            """UPDATE accounts SET audit_count = 4, audit_mac = (
                SELECT mac FROM audit_events WHERE chain = '{id}' AND sequence = 4
            ) WHERE account_id = '{id}'""",
        ],
        "its stored end was changed",
    ),
    "emptied and end reset": (
        [
            "DELETE FROM audit_events WHERE chain = '{id}'",
            "UPDATE accounts SET audit_count = 0, audit_mac = '', audit_seal = '' WHERE account_id = '{id}'",
        ],
        "only the global chain records its creation",
    ),
    "account gone": (
        ["DELETE FROM audit_events WHERE chain = '{id}'", "DELETE FROM accounts WHERE account_id = '{id}'"],
        "the account is missing, and no event records its removal",
    ),
    "global chain emptied": (
        [
            "DELETE FROM audit_events WHERE chain = ''",
            "UPDATE audit_chains SET audit_count = 0, audit_mac = '', audit_seal = '' WHERE chain = ''",
        ],
        "the global chain does not record its creation",
    ),
    "global chain cut": (
        ["DELETE FROM audit_events WHERE chain = '' AND sequence > 2"],
        "global chain: it ends with event 2",
    ),
    "global chain's end gone": (["DELETE FROM audit_chains WHERE chain = ''"], "global chain"),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_tampering_is_found(domain: Domain, database: Database, kind: str) -> None:
    account_id = await three_accounts(domain)
    assert not (await checked(domain)).faults
    statements, words = TAMPERINGS[kind]
    await run(database, *(statement.format(id=account_id) for statement in statements))
    finding = await checked(domain)
    assert words in " | ".join(finding.faults)
    if kind not in ("account gone", "emptied and end reset") and "global" not in kind:
        assert (await checked(domain, account_id)).faults


async def test_an_append_does_not_hide_a_truncated_chain(domain: Domain, database: Database) -> None:
    account_id = await three_accounts(domain)
    statements, _ = TAMPERINGS["tail cut and end reset"]
    await run(database, *(statement.format(id=account_id) for statement in statements))
    with pytest.raises(NotAuthentic):
        await domain.accounts.update(account_id, "u1", Changes(region="xx-west-1"), "")


async def test_an_append_does_not_hide_a_truncated_global_chain(domain: Domain, database: Database) -> None:
    await three_accounts(domain)
    await run(
        database,
        "DELETE FROM audit_events WHERE chain = '' AND sequence > 2",
        """UPDATE audit_chains SET audit_count = 2, audit_mac = (
            SELECT mac FROM audit_events WHERE chain = '' AND sequence = 2
        ) WHERE chain = ''""",
    )
    await connected(domain, 3)
    assert "the stored end of the chain was wrong" in " | ".join((await checked(domain)).faults)


async def test_a_chain_under_another_key_is_a_fault(domain: Domain) -> None:
    account_id = await three_accounts(domain)
    domain.audit._key = b"x" * 32
    finding = await checked(domain, account_id)
    assert finding.fault_count >= finding.checked == 6


async def test_a_change_that_cannot_be_recorded_is_not_made(domain: Domain, database: Database) -> None:
    account = await connected(domain)
    await run(database, "ALTER TABLE audit_events RENAME TO gone")
    with pytest.raises(Unavailable):
        await domain.accounts.secrets(account.account_id)
    with pytest.raises(Unavailable):
        await domain.applications.secrets(account.application_id)
    with pytest.raises(Unavailable):
        await domain.accounts.update(account.account_id, "u1", Changes(region="eu-west-1"), "")
    with pytest.raises(Unavailable):
        await domain.accounts.remove(account.account_id, "u1", "")
    await run(database, "ALTER TABLE gone RENAME TO audit_events")
    assert await domain.accounts.get(account.account_id, "u1") == account
    assert not (await checked(domain)).faults


async def test_the_chain_of_a_removed_account_stays_and_continues_with_its_id(domain: Domain) -> None:
    account = await connected(domain)
    await domain.accounts.remove(account.account_id, "u1", "")
    kept = await domain.audit.events(domain.store, account.account_id, 0, 9)
    assert [event.action for event in kept] == ["account.created", "account.removed"]
    assert (await checked(domain, account.account_id)).checked == 2
    run_of_rows = Import(domain.store, domain.accounts, domain.applications, dry_run=False)
    taken = await run_of_rows.import_row(Row(connection(), Origin(account.account_id)))
    assert taken.outcome is Outcome.CREATED
    finding = await checked(domain)
    assert not finding.faults
    assert (await domain.audit.events(domain.store, account.account_id, 2, 9))[0].sequence == 3


async def test_an_unknown_account_is_not_found(domain: Domain) -> None:
    for account_id in ("nobody", "a" * 64, "' OR 1=1"):
        with pytest.raises(NotFound):
            await checked(domain, account_id)
        with pytest.raises(NotFound):
            await domain.audit.events(domain.store, account_id, 0, 9)
