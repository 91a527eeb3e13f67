"""Drop-in clients over gRPC: returned once, stored as SHA-256, authenticated only for the edge, revoked at once."""

import hashlib
from collections.abc import AsyncIterator

import pytest
from sellergate.account.v1 import drop_in_client_service_pb2 as pb2
from sellergate.account.v1.drop_in_client_service_pb2_grpc import DropInClientServiceStub
from sellergate_common.errors import NotAllowed, NotFound, Reason, SellergateError, Unauthenticated
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


@pytest.fixture
async def edge(rest: Rest) -> AsyncIterator[DropInClientServiceStub]:
    suite = rest.suite
    async with open_channel(suite.target("account"), "account", suite.identity("edge"), []) as channel:
        yield DropInClientServiceStub(channel)


async def create(edge: DropInClientServiceStub, user: str, *account_ids: str) -> pb2.CreateClientResponse:
    request = pb2.CreateClientRequest(user_id=user, name="SDK", account_ids=account_ids)
    return await invoke(edge.CreateClient, request, dependency="account", on_behalf_of=user)


async def authenticated(edge: DropInClientServiceStub, client_id: str, secret: str, handle: str = "") -> str:
    request = pb2.AuthenticateClientRequest(client_id=client_id, client_secret=secret, handle=handle)
    response = await invoke(edge.AuthenticateClient, request, dependency="account")
    assert response.client.client_id == client_id
    return response.account_id


async def refused(edge: DropInClientServiceStub, client_id: str, secret: str, handle: str = "") -> str:
    with pytest.raises(Unauthenticated) as caught:
        await authenticated(edge, client_id, secret, handle)
    return caught.value.message


async def test_a_client_opens_its_own_accounts_until_it_is_revoked(
    rest: Rest, edge: DropInClientServiceStub, seller: Seller
) -> None:
    user = f"d-{seller.seller_id}"
    first = await rest.connect(seller, user)
    second = (
        await rest.request("POST", "/api/amazon/accounts", user, json=seller.connection(marketplace="CA"))
    ).json()["id"]
    made = await create(edge, user, first, second, first)
    assert made.client.client_id.startswith("sgc_")
    assert made.client_secret.startswith("sgs_")
    handles = {handle.account_id: handle.handle for handle in made.handles}
    assert set(handles) == set(made.client.account_ids) == {first, second}
    assert all(handle.startswith("sgr_") and len(handle) == 47 for handle in handles.values())

    mine = made.client.client_id, made.client_secret
    for account_id, handle in handles.items():
        assert await authenticated(edge, *mine, handle) == account_id
    assert await authenticated(edge, *mine) == ""
    other = await create(edge, user, first)
    messages = {
        await refused(edge, "sgc_nobody", made.client_secret),
        await refused(edge, mine[0], "sgs_wrong"),
        await refused(edge, *mine, "sgr_wrong"),
        await refused(edge, *mine, other.handles[0].handle),
        await refused(edge, other.client.client_id, made.client_secret),
    }
    assert len(messages) == 1, "all causes have one message"

    revoke = pb2.RevokeClientRequest(client_id=mine[0])
    ended = await invoke(edge.RevokeClient, revoke, dependency="account", on_behalf_of=user)
    assert ended.client.HasField("revoke_time")
    again = await invoke(edge.RevokeClient, revoke, dependency="account", on_behalf_of=user)
    assert again == ended
    assert await refused(edge, *mine, handles[first]) in messages


async def test_a_drop_in_refresh_token_is_removed_with_its_account(
    rest: Rest, edge: DropInClientServiceStub, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    made = await create(edge, "u1", account_id)
    mine = made.client.client_id, made.client_secret, made.handles[0].handle
    assert await authenticated(edge, *mine) == account_id
    assert (await rest.request("DELETE", f"/api/amazon/accounts/{account_id}?hard=true")).status_code == 204
    await refused(edge, *mine)


async def test_users_cannot_create_read_or_revoke_clients_of_others(
    rest: Rest, edge: DropInClientServiceStub, seller: Seller
) -> None:
    account_id = await rest.connect(seller, "u1")
    with pytest.raises(NotFound) as caught:
        await create(edge, "u2", account_id)
    assert caught.value.reason is Reason.ACCOUNT_NOT_FOUND
    made = await create(edge, "u1", account_id)
    with pytest.raises(NotFound) as caught:
        revoke = pb2.RevokeClientRequest(client_id=made.client.client_id)
        await invoke(edge.RevokeClient, revoke, dependency="account", on_behalf_of="u2")
    assert caught.value.reason is Reason.CLIENT_NOT_FOUND
    listed = await invoke(edge.ListClients, pb2.ListClientsRequest(), dependency="account", on_behalf_of="u2")
    assert made.client.client_id not in {client.client_id for client in listed.clients}
    mine = await invoke(edge.ListClients, pb2.ListClientsRequest(), dependency="account", on_behalf_of="u1")
    assert made.client in mine.clients
    for request in (
        pb2.CreateClientRequest(user_id="u1", account_ids=[account_id]),
        pb2.ListClientsRequest(user_id="u1"),
    ):
        call = edge.CreateClient if isinstance(request, pb2.CreateClientRequest) else edge.ListClients
        with pytest.raises(NotAllowed):
            await invoke(call, request, dependency="account", on_behalf_of="u2")
    with pytest.raises(SellergateError) as bad:
        await create(edge, "u1")
    assert bad.value.violations[0].field == "account_ids"


async def test_only_the_edge_authenticates_clients(rest: Rest) -> None:
    suite = rest.suite
    for name in ("operator", "gateway", "client/demo"):
        async with open_channel(suite.target("account"), "account", suite.identity(name), []) as channel:
            with pytest.raises(NotAllowed):
                await authenticated(DropInClientServiceStub(channel), "sgc_x", "sgs_x")


async def test_only_digests_are_kept(rest: Rest, edge: DropInClientServiceStub, seller: Seller) -> None:
    account_id = await rest.connect(seller)
    made = await create(edge, "u1", account_id)
    kept = b"".join(path.read_bytes() for path in rest.suite.plan.state.folder.glob("account.sqlite*"))
    for secret in (made.client_secret, made.handles[0].handle):
        assert secret.encode() not in kept
        assert hashlib.sha256(secret.encode()).hexdigest().encode() in kept
