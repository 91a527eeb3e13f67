"""A request with an idempotency key is carried out once: in memory, on SQLite and on PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import account_pb2
from sellergate.account.v1 import account_service_pb2 as accounts
from sellergate.account.v1 import drop_in_client_service_pb2 as clients
from sellergate_account.changes import idempotency
from sellergate_account.changes.idempotency import KEPT, forget_expired
from sellergate_account.model import KeyedRequest
from sellergate_account.ports.errors import KeysUsedUp
from sellergate_account.ports.unit_of_work import Store
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_common.context import Caller
from sellergate_common.errors import InvalidRequest
from sqlalchemy import text

from tests.contract.ports.account_servicers import Servicers
from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, NOW, RING, application, database, store
from tests.fakes.account import Domain

KEY = "0b1c9e1a-1f5e-4d0e-9a55-000000000001"
REQUEST = KeyedRequest(KEY, "edge", "u1", "UpdateAccount", "d" * 64)
__all__ = ["database", "store"]


@pytest.fixture
def domain(store: Store) -> Domain:
    return Domain(store)


@pytest.fixture
def servicers(domain: Domain) -> Servicers:
    return Servicers(domain)


def connection(seller: str = "SELLER1", key: str = KEY, token: str = "Atzr|1") -> accounts.UpsertAccountRequest:
    return accounts.UpsertAccountRequest(
        user_id="u1",
        amazon_seller_id=seller,
        marketplace="US",
        application_id="app",
        refresh_token=token,
        idempotency_key=key,
    )


def update(account_id: str, etag: str, key: str, region: str = "eu-west-1") -> accounts.UpdateAccountRequest:
    changed = account_pb2.Account(account_id=account_id, region=region)
    return accounts.UpdateAccountRequest(
        account=changed, update_mask=FieldMask(paths=["region"]), etag=etag, idempotency_key=key
    )


async def test_a_repeat_returns_the_first_response_also_after_later_changes(servicers: Servicers) -> None:
    first = await servicers.call(connection())
    assert first.created
    change = update(first.account.account_id, first.account.etag, KEY + "-update")
    changed = await servicers.call(change)
    assert await servicers.call(connection()) == first, "created is still true"
    assert await servicers.call(change) == changed, "and no ETAG_MISMATCH"
    remove = accounts.HardDeleteAccountRequest(account_id=first.account.account_id, idempotency_key=KEY + "-remove")
    await servicers.call(remove)
    await servicers.call(remove)
    assert await servicers.call(change) == changed


async def test_a_key_of_another_request_is_refused_by_its_name(servicers: Servicers) -> None:
    first = await servicers.call(connection())
    others = (connection("SELLER2"), connection(token="Atzr|2"), update(first.account.account_id, "", KEY))
    for other in others:
        with pytest.raises(InvalidRequest) as caught:
            await servicers.call(other)
        assert [violation.field for violation in caught.value.violations] == ["idempotency_key"]


async def test_each_caller_and_user_has_keys_of_its_own(servicers: Servicers) -> None:
    await servicers.call(connection())
    for caller in (Caller("edge", ""), Caller("operator", "u1")):
        assert not (await servicers.call(connection("SELLER1", token="Atzr|1"), caller)).created


async def test_a_refused_request_leaves_its_key_free(servicers: Servicers) -> None:
    with pytest.raises(InvalidRequest):
        await servicers.call(connection(token=""))
    assert (await servicers.call(connection())).created


async def test_concurrent_duplicates_make_one_change_and_get_one_response(servicers: Servicers, domain: Domain) -> None:
    first = await servicers.call(connection())
    change = update(first.account.account_id, first.account.etag, KEY + "-update")
    responses = await asyncio.gather(*(servicers.call(change) for _ in range(8)))
    assert all(response == responses[0] for response in responses)
    events = await domain.audit.events(domain.store, first.account.account_id, 0, 99)
    assert [event.action for event in events] == ["account.created", "account.updated"]


async def test_a_request_without_a_key_is_carried_out_each_time(servicers: Servicers) -> None:
    assert (await servicers.call(connection(key=""))).created
    assert not (await servicers.call(connection(key=""))).created


async def test_a_key_is_kept_for_a_day(store: Store) -> None:
    later = NOW + KEPT + timedelta(seconds=1)
    async with store.writing() as work:
        assert await work.keyed_requests.claim(REQUEST, NOW, NOW - KEPT) is None
        await work.keyed_requests.respond(REQUEST, b"one")
    async with store.writing() as work:
        first = await work.keyed_requests.claim(REQUEST, NOW, NOW - KEPT)
        assert first
        assert (first.is_same, first.response) == (True, b"one")
        other = await work.keyed_requests.claim(replace(REQUEST, digest="e" * 64), NOW, NOW - KEPT)
        assert other
        assert not other.is_same
    async with store.writing() as work:
        assert await work.keyed_requests.claim(REQUEST, later, later - KEPT) is None
        await work.keyed_requests.respond(REQUEST, b"two")
    async with store.writing() as work:
        assert await work.keyed_requests.remove(NOW, 9) == 0
        assert await work.keyed_requests.remove(later + KEPT, 9) == 1


async def test_expired_requests_are_removed_in_the_background(store: Store) -> None:
    async with store.writing() as work:
        for number in range(3):
            await work.keyed_requests.claim(replace(REQUEST, key=f"{KEY}-{number}"), NOW, NOW - KEPT)
    pauses = 0

    async def sleep(_: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await forget_expired(store, lambda: NOW + KEPT + timedelta(seconds=1), sleep)
    async with store.writing() as work:
        assert await work.keyed_requests.remove(NOW + timedelta(days=9), 9) == 0


async def test_a_user_has_a_limit_of_keys_and_expired_ones_are_removed(store: Store) -> None:
    async def has_room(request: KeyedRequest, now: datetime) -> bool:
        async with store.writing() as work:
            assert await work.keyed_requests.claim(request, now, now - KEPT) is None
            await work.keyed_requests.respond(request, b"response")
            return await work.keyed_requests.has_room(request, now - KEPT, 2)

    later = NOW + KEPT
    assert await has_room(replace(REQUEST, key="one"), NOW)
    assert await has_room(replace(REQUEST, key="two"), later - timedelta(hours=1))
    assert await has_room(replace(REQUEST, user="u2"), later), "each user has room of its own"
    assert await has_room(replace(REQUEST, caller="operator"), later), "and each caller"
    assert await has_room(replace(REQUEST, key="three"), later), "the first is a day old"
    async with store.writing() as work:
        assert await work.keyed_requests.claim(replace(REQUEST, key="two"), later, later - KEPT), "the second is not"
    assert not await has_room(replace(REQUEST, key="four"), later)


async def test_a_key_beyond_the_limit_is_refused_with_a_remedy(
    servicers: Servicers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MOST_OF_USER", 2)
    first = await servicers.call(connection("SELLER1", KEY + "-1"))
    await servicers.call(connection("SELLER2", KEY + "-2"))
    with pytest.raises(KeysUsedUp, match="without a key, or again when") as caught:
        await servicers.call(connection("SELLER3", KEY + "-3"))
    assert caught.value.metadata == {"limit": "idempotency_keys", "most": "2"}
    assert await servicers.call(connection("SELLER1", KEY + "-1")) == first, "a repeat needs no room"
    assert (await servicers.call(connection("SELLER3", ""))).created, "nothing of the refused one was stored"
    for number in range(3):
        assert (
            await servicers.call(connection(f"OPERATORS{number}", f"{KEY}-{number}"), Caller("operator", ""))
        ).created


async def test_a_repeat_returns_a_clients_secret_which_is_stored_sealed(database: Database) -> None:
    store = SqlStore(database, RING, INDEX_KEY)
    servicers = Servicers(Domain(store))
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
    account_id = (await servicers.call(connection())).account.account_id
    create = clients.CreateClientRequest(user_id="u1", account_ids=[account_id], idempotency_key=KEY + "-client")
    first = await servicers.call(create)
    assert await servicers.call(create) == first
    async with database.reading() as connected:
        dump = repr((await connected.execute(text("SELECT * FROM keyed_requests"))).all())
    for secret in (first.client_secret, first.handles[0].handle, "Atzr|1", KEY):
        assert secret not in dump
