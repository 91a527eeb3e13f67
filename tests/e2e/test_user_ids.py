"""User ids of any script: each names the same account on every route, and two that look alike are different."""

import asyncio
import json
import unicodedata

import httpx
import pytest
from sellergate.account.v1 import account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.errors import InvalidRequest, SellergateError, Unauthenticated
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_common.status import from_rpc_error

from tests.e2e.browsers import known_application
from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller

SELLERS = "sellers/v1/marketplaceParticipations"


async def accounts_of(rest: Rest, user: str) -> list[str]:
    response = await rest.request("GET", "/api/amazon/accounts", user)
    assert response.status_code == 200, response.text
    return [account["id"] for account in response.json()["accounts"]]


@pytest.mark.parametrize("user", ["jürgen", "山田太郎", "🦊 fox", " blanks ", "界" * 128])
async def test_every_route_names_the_same_account(
    rest: Rest, control: httpx.AsyncClient, seller: Seller, user: str, fast: None
) -> None:
    account_id = await rest.connect(seller, user)
    assert await accounts_of(rest, user) == [account_id]
    called = await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api/{SELLERS}", user)
    assert called.status_code == 200, called.text
    sdk = await DropIn.made(rest, user, account_id)
    token = await sdk.token(rest.client)
    direct = await rest.client.get(f"/{SELLERS}", headers={"x-amz-access-token": token})
    assert direct.status_code == 200, direct.text
    async with open_channel(rest.suite.target("account"), "account", rest.suite.identity("operator"), []) as channel:
        listed = await invoke(
            AccountServiceStub(channel).ListAccounts,
            account_service_pb2.ListAccountsRequest(user_id=user),
            dependency="account",
        )
    assert [(one.account_id, one.user_id) for one in listed.accounts] == [(account_id, user)]
    typed = await asyncio.to_thread(
        Operator(rest.suite).types, "accounts", "list", "--user", user, "--json", LANG="C.UTF-8"
    )
    assert [json.loads(line)["account_id"] for line in typed.stdout.splitlines()] == [account_id]
    application = await known_application(rest.suite, control, await Seller.seeded(control))
    begun = await rest.request(
        "POST", "/api/amazon/oauth/authorizations", user, json={"applicationId": application, "marketplace": "US"}
    )
    assert begun.status_code == 201, begun.text


async def test_composed_and_decomposed_letters_are_two_users(rest: Rest, control: httpx.AsyncClient) -> None:
    composed, decomposed = (unicodedata.normalize(form, "jürgen-two") for form in ("NFC", "NFD"))
    one = await rest.connect(await Seller.seeded(control), composed)
    other = await rest.connect(await Seller.seeded(control), decomposed)
    assert (await accounts_of(rest, composed), await accounts_of(rest, decomposed)) == ([one], [other])
    assert (await rest.request("GET", f"/api/amazon/accounts/{one}", decomposed)).status_code == 404


@pytest.mark.parametrize("user", ["a\nb", "a\u202eb", "\x85"])
async def test_unprintable_characters_are_refused_with_their_field(rest: Rest, user: str) -> None:
    assert (await rest.request("GET", "/api/amazon/accounts", user)).status_code == 401
    async with open_channel(rest.suite.target("account"), "account", rest.suite.identity("operator"), []) as channel:
        request = account_service_pb2.ListAccountsRequest(user_id=user)
        with pytest.raises(InvalidRequest) as caught:
            await invoke(AccountServiceStub(channel).ListAccounts, request, dependency="account")
    assert [violation.field for violation in caught.value.violations] == ["user_id"]


async def listed_as(rest: Rest, *metadata: tuple[str, str | bytes]) -> str:
    """List as the edge with metadata of a test's own; return "OK" or the error's name and fields."""
    async with open_channel(rest.suite.target("account"), "account", rest.suite.identity("edge"), []) as channel:
        call = AccountServiceStub(channel).ListAccounts
        try:
            await call(account_service_pb2.ListAccountsRequest(), metadata=metadata, timeout=10)
        except Exception as error:  # noqa: BLE001  (an error of grpc, converted to one of Sellergate)
            refusal: SellergateError = from_rpc_error(error, "account")  # type: ignore[arg-type]
            return f"{type(refusal).__name__} {[violation.field for violation in refusal.violations]}"
        return "OK"


async def test_peers_that_know_only_the_plain_key_still_work(rest: Rest) -> None:
    assert await listed_as(rest, ("on_behalf_of", "u1")) == "OK"
    assert await listed_as(rest, ("on_behalf_of-bin", "jürgen".encode())) == "OK"
    refused = f"{Unauthenticated.__name__} []"
    assert await listed_as(rest) == refused
    assert await listed_as(rest, ("on_behalf_of", "u1"), ("on_behalf_of-bin", b"u2")) == refused
    for value in (b"\xff", b"a\nb"):
        assert await listed_as(rest, ("on_behalf_of-bin", value)) == "InvalidRequest ['on_behalf_of']"


async def test_a_trace_context_of_arbitrary_bytes_is_ignored(rest: Rest) -> None:
    response = await rest.request("GET", "/api/amazon/accounts", headers={"traceparent": "ü".encode()})
    assert response.status_code == 200, response.text


async def test_an_argument_that_is_not_text_is_refused_in_one_sentence(rest: Rest) -> None:
    words = ("accounts", "list", "--user", "\udcff")
    done = await asyncio.to_thread(Operator(rest.suite).types, *words, LANG="C.UTF-8")
    assert done.returncode == 2
    assert "Argument 4" in done.stderr
