"""A caller's own reference and labels of accounts, and the filters by which REST, both clients and the command line find them."""

import asyncio
import json
from typing import Any

import pytest
from sellergate_cli.__main__ import app
from sellergate_client import AccountFilter, Sellergate, sync
from sellergate_devstack.suite import Suite
from typer.testing import CliRunner

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller

ACCOUNTS = "/api/amazon/accounts"
USER = "named"


@pytest.fixture
async def two(rest: Rest, control: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Connect two sellers of one user: one with a reference and labels, one without."""
    documents = []
    for names in ({"labels": {"tier": "gold", "acme.example/team": "a"}}, {}):
        seller = await Seller.seeded(control)
        named = names and {**names, "externalRef": f"customer {seller.seller_id}"}
        response = await rest.request("POST", ACCOUNTS, USER, json=seller.connection(**named))
        assert response.status_code == 201, response.text
        documents.append(response.json())
    first, second = documents
    return first, second


async def test_rest_lists_the_accounts_that_match_all_filters(rest: Rest, two: tuple[dict[str, Any], ...]) -> None:
    first, second = two
    assert first["labels"] == {"tier": "gold", "acme.example/team": "a"}
    assert (second["externalRef"], second["labels"]) == ("", {})

    async def found(user: str = USER, **params: Any) -> list[str]:
        response = await rest.request("GET", ACCOUNTS, user, params=params)
        assert response.status_code == 200, response.text
        return [one["id"] for one in response.json()["accounts"]]

    assert await found(externalRef=first["externalRef"]) == [first["id"]]
    assert await found("another", externalRef=first["externalRef"]) == []
    assert await found(amazonSellerId=second["amazonSellerId"]) == [second["id"]]
    assert await found(amazonSellerId=first["amazonSellerId"], label=["tier=gold", "acme.example/team=a"]) == [
        first["id"]
    ]
    assert await found(amazonSellerId=first["amazonSellerId"], label="tier=silver") == []
    assert await found(amazonSellerId=first["amazonSellerId"], state="INACTIVE") == []
    ends = {"amazonSellerId": first["amazonSellerId"], "authorizationExpiresBefore": "2026-01-01T00:00:00Z"}
    assert await found(**ends) == []
    pages = await rest.request(
        "GET", ACCOUNTS, USER, params={"label": ["tier=gold", "acme.example/team=a"], "pageSize": 1}
    )
    link = pages.headers.get("Link", "label=tier%3Dgold&label=acme.example%2Fteam%3Da")
    assert "label=tier%3Dgold&label=acme.example%2Fteam%3Da" in link


async def test_rest_changes_names_and_refuses_a_reference_that_is_taken(
    rest: Rest, two: tuple[dict[str, Any], ...]
) -> None:
    first, second = two
    taken = await rest.request("PATCH", f"{ACCOUNTS}/{second['id']}", USER, json={"externalRef": first["externalRef"]})
    assert taken.status_code == 400
    assert [one["field"] for one in taken.json()["violations"]] == ["externalRef"]
    assert first["id"] in taken.json()["detail"]
    emptied = await rest.request(
        "PATCH", f"{ACCOUNTS}/{first['id']}", USER, json={"externalRef": "", "labels": {"a": "b"}}
    )
    assert (emptied.json()["externalRef"], emptied.json()["labels"]) == ("", {"a": "b"})
    given = await rest.request("PATCH", f"{ACCOUNTS}/{second['id']}", USER, json={"externalRef": first["externalRef"]})
    assert given.json()["externalRef"] == first["externalRef"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"label": "tier"}, "label[0]"),
        ({"label": ["a=b", "a=c"]}, "label[1]"),
        ({"label": [f"k{number}=v" for number in range(17)]}, "label"),
        ({"label": "a b=c"}, "labels"),
        ({"authorizationExpiresBefore": "tomorrow"}, "authorizationExpiresBefore"),
        ({"authorizationExpiresBefore": "2026-01-01T00:00:00"}, "authorizationExpiresBefore"),
        ({"authorizationExpiresBefore": "9999-12-31T23:59:59-12:00"}, "authorizationExpiresBefore"),
        ({"externalRef": "x" * 129}, "externalRef"),
        ({"externalRef": "a\u202eb"}, "externalRef"),
    ],
)
async def test_rest_refuses_a_bad_filter_by_its_name(rest: Rest, params: dict[str, Any], field: str) -> None:
    response = await rest.request("GET", ACCOUNTS, USER, params=params)
    assert response.status_code == 400, response.text
    assert response.json()["violations"][0]["field"] == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"externalRef": "x" * 129}, "externalRef"),
        ({"externalRef": "a\u202eb"}, "externalRef"),
        ({"labels": {"tier": "a b"}}, "labels[tier]"),
        ({"labels": {"ti er": "a"}}, "labels"),
        ({"labels": {f"k{number}": "v" for number in range(17)}}, "labels"),
        ({"labels": {"tier": 1}}, "labels.tier"),
        ({"labels": "tier=gold"}, "labels"),
    ],
)
async def test_rest_refuses_bad_names(rest: Rest, seller: Seller, changes: dict[str, Any], field: str) -> None:
    response = await rest.request("POST", ACCOUNTS, USER, json=seller.connection(**changes))
    assert response.status_code == 400, response.text
    assert response.json()["violations"][0]["field"] == field


async def test_both_clients_list_accounts(suite: Suite, client: Sellergate, two: tuple[dict[str, Any], ...]) -> None:
    first, second = two
    wanted = AccountFilter(external_ref=first["externalRef"], labels={"tier": "gold"})
    (found,) = [one async for one in client.accounts.each(narrowed=wanted)]
    assert (found.account_id, found.user_id, dict(found.labels)) == (first["id"], USER, first["labels"])
    of_seller = AccountFilter(amazon_seller_id=second["amazonSellerId"])
    assert [one.account_id async for one in client.accounts.each(USER, of_seller)] == [second["id"]]

    def without_await() -> tuple[list[str], str]:
        given = suite.target("gateway"), suite.target("account"), suite.identity("client/demo")
        with sync.Sellergate(*given) as sellergate:
            ids = [one.account_id for one in sellergate.accounts.each(narrowed=wanted)]
            return ids, sellergate.accounts.get(second["id"]).amazon_seller_id

    assert await asyncio.to_thread(without_await) == ([first["id"]], second["amazonSellerId"])


async def test_the_command_line_lists_accounts(suite: Suite, two: tuple[dict[str, Any], ...]) -> None:
    first, second = two
    operator = Operator(suite)

    async def listed(*words: str) -> list[str]:
        done = await asyncio.to_thread(operator.types, "accounts", "list", "--json", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["account_id"] for line in done.stdout.splitlines()]

    reference = "--external-ref", first["externalRef"]
    assert await listed(*reference, "--label", "tier=gold", "--state", "active") == [first["id"]]
    assert await listed(*reference, "--label", "tier=silver") == []
    assert await listed("--seller-id", second["amazonSellerId"]) == [second["id"]]
    assert await listed("--seller-id", second["amazonSellerId"], "--expires-before", "2026-01-01") == []
    asked = {"_SELLERGATE_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    asked["COMP_WORDS"] = f"sellergate accounts show {first['id'][:-2]}"
    environment = operator.environment | asked | {"SELLERGATE_GATEWAY_TARGET": suite.target("gateway")}
    completed = await asyncio.to_thread(CliRunner().invoke, app, [], prog_name="sellergate", env=environment)
    assert completed.stdout.split() == [first["id"]]
