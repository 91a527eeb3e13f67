"""Accounts that do not work: no check, of REST or of the command line, reads as if they did."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller
from tests.e2e.test_cli import operator
from tests.e2e.test_verification import STATUS, outcomes, revoke

__all__ = ["operator"]

Break = Callable[[Rest, httpx.AsyncClient, Seller], Coroutine[Any, Any, str]]


async def amazon_down(rest: Rest, control: httpx.AsyncClient, seller: Seller) -> str:
    account_id = await rest.connect(seller)
    for kind in ("503_json", "lwa_500"):
        (await control.post("/control/faults", json={"kind": kind})).raise_for_status()
    return account_id


async def revoked_grant(rest: Rest, control: httpx.AsyncClient, seller: Seller) -> str:
    account_id = await rest.connect(seller)
    await revoke(control, seller)
    return account_id


async def dead_role(rest: Rest, control: httpx.AsyncClient, seller: Seller) -> str:
    del control
    dead = seller.connection(iamRoleArn="arn:aws:iam::123456789012:role/removed")
    return await stored(rest, dead)


async def wrong_region(rest: Rest, control: httpx.AsyncClient, seller: Seller) -> str:
    """The seller sells in the US; its account calls Amazon's European host."""
    del control
    return await stored(rest, seller.connection(marketplace="DE", marketplaceIds=["A1PA6795UKMFR9"], iamRoleArn=None))


async def stored(rest: Rest, document: dict[str, Any]) -> str:
    response = await rest.request("POST", "/api/amazon/accounts", json=document)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


STATES: tuple[tuple[Break, set[str]], ...] = (
    (amazon_down, {"stored"}),
    (revoked_grant, {"stored"}),
    (dead_role, {"stored", "token"}),
    (wrong_region, {"stored", "token"}),
)
"""Each state, with the stages that are in order in it: only these may be OK."""


@pytest.mark.parametrize(("break_account", "in_order"), STATES, ids=lambda one: getattr(one, "__name__", ""))
async def test_a_broken_account_reads_as_working_nowhere(
    rest: Rest,
    control: httpx.AsyncClient,
    operator: Operator,
    seller: Seller,
    fast: None,
    break_account: Break,
    in_order: set[str],
) -> None:
    account_id = await break_account(rest, control, seller)
    checked = (await rest.request("GET", STATUS, params={"amazonAccountId": account_id})).json()
    check_stages(outcomes(checked), in_order)
    again = (await rest.request("GET", STATUS, params={"amazonAccountId": account_id})).json()
    check_stages(outcomes(again), in_order)
    verified = await rest.request("POST", f"/api/amazon/accounts/{account_id}/verify", params={"call": "true"})
    check_stages(outcomes(verified.json()), in_order)
    orders = await rest.request(
        "GET", "/api/amazon/test/orders", params={"amazonAccountId": account_id, "marketplaceId": seller.marketplace_id}
    )
    assert orders.status_code >= 400
    check_stages(outcomes(orders.json()), in_order)
    for words in (["accounts", "check", account_id], ["accounts", "verify", account_id, "--with-call"]):
        done = await asyncio.to_thread(operator.types, *words)
        assert done.returncode == 1, (words, done.stdout)
        rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[1:]}
        assert all(outcome != "OK" or stage in in_order for stage, outcome in rows.items()), done.stdout
        assert "active again" not in done.stdout
        assert "FAILED" in rows.values() or done.stderr, done.stdout


def check_stages(found: dict[str, str], in_order: set[str]) -> None:
    assert "FAILED" in found.values(), found
    assert found.get("call") not in ("OK", "CACHED", "WARNING")
    assert {stage for stage, outcome in found.items() if outcome == "OK"} <= in_order, found
