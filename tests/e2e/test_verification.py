"""The status check and the verification of accounts: Amazon's present response decides, and exchanges are limited in time."""

import asyncio
from typing import Any

import httpx
from sellergate_client import Sellergate
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller
from tests.e2e.token_service import exchanges, lwa_calls, token_service

STATUS = "/api/amazon/test/status"


async def status(rest: Rest, account_id: str, **params: str) -> dict[str, Any]:
    response = await rest.request("GET", STATUS, params={"amazonAccountId": account_id, **params})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {stage["name"]: stage["outcome"] for stage in document["stages"]}


async def verification(rest: Rest, account_id: str) -> tuple[str | None, str | None]:
    account = (await rest.request("GET", f"/api/amazon/accounts/{account_id}")).json()
    return account["verifiedTime"], account["verificationMethod"]


async def revoke(control: httpx.AsyncClient, seller: Seller) -> None:
    revoked = {"refresh_token": seller.refresh_token, "access_tokens": True}
    (await control.post("/control/secrets/revoke-grant", json=revoked)).raise_for_status()


async def grant_again(control: httpx.AsyncClient, seller: Seller) -> None:
    (await control.post("/control/seed", json=seller.seed())).raise_for_status()


async def falsely_revoked(rest: Rest, control: httpx.AsyncClient, seller: Seller) -> str:
    """Connect a seller whose grant Amazon refuses once and accepts again."""
    account_id = await rest.connect(seller)
    await revoke(control, seller)
    called = await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api/sellers/v1/marketplaceParticipations")
    assert called.json()["reason"] == "AUTHORIZATION_REVOKED"
    await grant_again(control, seller)
    return account_id


async def test_a_status_check_exchanges_and_calls_within_its_limit(
    rest: Rest, control: httpx.AsyncClient, client: Sellergate, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    async with token_service(rest.suite) as tokens:
        await tokens.get(account_id)
        assert await verification(rest, account_id) == (None, None), "a call's token is no verification"
        before = await exchanges(control)
        first = await status(rest, account_id)
        assert outcomes(first) == {"stored": "OK", "token": "OK", "role": "OK", "call": "OK"}
        assert {stage["ageSeconds"] for stage in first["stages"]} == {None}
        assert await exchanges(control) - before == 1, "although a token was cached"
        many = await asyncio.gather(*(status(rest, account_id, call="false") for _ in range(20)))
    assert {outcomes(one)["token"] for one in many} == {"CACHED"}
    assert {outcomes(one)["call"] for one in many} == {"SKIPPED"}
    assert all(0 <= one["stages"][1]["ageSeconds"] < 60 for one in many)
    assert await exchanges(control) - before == 1
    verified_time, method = await verification(rest, account_id)
    assert (verified_time is not None, method) == (True, "REFRESH_TOKEN")
    assert (await client.accounts.get(account_id)).HasField("verified_time")
    quiet = await status(rest, account_id, exchange="false", call="false")
    assert outcomes(quiet)["call"] == "SKIPPED"
    assert outcomes(quiet)["token"] in ("OK", "CACHED")  # OK within two seconds of the exchange
    assert await exchanges(control) - before == 1


async def test_a_status_check_reports_a_revoked_grant_at_once(
    rest: Rest, control: httpx.AsyncClient, client: Sellergate, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    assert (await client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")).status == 200
    await revoke(control, seller)
    found = await status(rest, account_id, call="false")
    assert (found["state"], outcomes(found)["token"]) == ("AUTHORIZATION_REVOKED", "FAILED")
    assert found["stages"][1]["reason"].startswith("AUTHORIZATION_REVOKED")
    await grant_again(control, seller)
    assert outcomes(await status(rest, account_id))["stored"] == "FAILED", "a check revives nothing"


async def test_a_status_check_reports_an_outage_of_amazon(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    async with token_service(rest.suite) as tokens:
        await tokens.get(account_id)
    (await control.post("/control/faults", json={"kind": "lwa_500"})).raise_for_status()
    try:
        found = await status(rest, account_id)
    finally:
        (await control.delete("/control/faults")).raise_for_status()
    assert (found["state"], outcomes(found)["token"], outcomes(found)["call"]) == ("ACTIVE", "FAILED", "SKIPPED")


async def test_one_exchange_restores_an_account_that_was_revoked_falsely(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await falsely_revoked(rest, control, seller)
    path = f"/api/amazon/accounts/{account_id}"
    for _ in range(2):
        same = await rest.request("PATCH", path, json={"refreshToken": seller.refresh_token})
        assert (same.status_code, same.json()["state"]) == (200, "AUTHORIZATION_REVOKED")
        same = await rest.request("POST", "/api/amazon/accounts", json=seller.connection())
        assert same.json()["state"] == "AUTHORIZATION_REVOKED"
    assert (await rest.request("POST", f"{path}/verify", "u2")).status_code == 404
    before = await lwa_calls(control)
    verified = (await rest.request("POST", f"{path}/verify", params={"call": "true"})).json()
    assert verified["state"] == "ACTIVE"
    assert outcomes(verified) == {"token": "OK", "role": "OK", "call": "OK"}
    assert await lwa_calls(control) - before == 1
    found = (await rest.request("GET", path)).json()
    assert (found["state"], found["verificationMethod"]) == ("ACTIVE", "REFRESH_TOKEN")
    assert found["verifiedTime"]


async def test_an_account_that_amazon_refuses_stays_revoked_after_one_exchange(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await falsely_revoked(rest, control, seller)
    await revoke(control, seller)
    before = await lwa_calls(control)
    for _ in range(3):
        refused = await rest.request("POST", f"/api/amazon/accounts/{account_id}/verify")
        document = refused.json()
        assert (refused.status_code, document["state"]) == (200, "AUTHORIZATION_REVOKED")
        assert outcomes(document) == {"token": "FAILED"}
    assert await lwa_calls(control) - before == 1


async def test_an_operator_verifies_from_the_command_line(
    rest: Rest, control: httpx.AsyncClient, seller: Seller, suite: Suite
) -> None:
    account_id = await falsely_revoked(rest, control, seller)
    operator = Operator(suite)
    operator.environment |= {
        "SELLERGATE_GATEWAY_TARGET": suite.target("gateway"),
        "SELLERGATE_TOKEN_TARGET": suite.target("token"),
    }
    done = await asyncio.to_thread(operator.types, "accounts", "verify", account_id, "--with-call")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the account is active again" in done.stdout
    checked = await asyncio.to_thread(operator.types, "accounts", "check", account_id, "--no-call")
    assert "CACHED" in checked.stdout
    assert "SKIPPED" in checked.stdout
