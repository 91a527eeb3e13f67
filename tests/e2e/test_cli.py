"""The `sellergate` command against the running suite, as an operator uses it."""

import asyncio
import json
import signal
from pathlib import Path

import httpx
import pytest
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller

SINCE = "2026-01-01T00:00:00Z"


@pytest.fixture
def operator(suite: Suite) -> Operator:
    found = Operator(suite)
    found.environment |= {
        "SELLERGATE_GATEWAY_TARGET": suite.target("gateway"),
        "SELLERGATE_TOKEN_TARGET": suite.target("token"),
        "SELLERGATE_EDGE_URL": suite.edge,
        "SELLERGATE_STATE_DIR": str(suite.plan.state.folder),
    }
    return found


async def typed(operator: Operator, *words: str, code: int = 0, **variables: str) -> str:
    """Run a command in a thread beside the running loop; return its output."""
    done = await asyncio.to_thread(operator.types, *words, **variables)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


async def test_an_account_from_its_connection_to_its_end(operator: Operator, seller: Seller, fast: None) -> None:
    user = f"cli-{seller.seller_id}"
    secrets = {"SELLERGATE_LWA_CLIENT_SECRET": seller.client_secret, "SELLERGATE_REFRESH_TOKEN": seller.refresh_token}
    words = ("accounts", "add", "--user", user, "--seller", seller.seller_id, "--client-id", seller.client_id)
    added = json.loads(await typed(operator, *words, "--json", "--marketplace-id", seller.marketplace_id, **secrets))
    account_id = added["account_id"]
    assert "Set SELLERGATE_REFRESH_TOKEN" in await typed(operator, *words, code=1)
    listed = await typed(operator, "accounts", "list", "--user", user)
    assert account_id in listed
    assert "ACTIVE" in listed
    shown = await typed(operator, "accounts", "show", account_id)
    assert not any(secret in listed + shown for secret in seller.secrets)
    stages = await typed(operator, "accounts", "check", account_id, "--with-call", "--json")
    assert [json.loads(line)["outcome"] for line in stages.splitlines()] == ["OK", "OK", "SKIPPED", "OK"]
    listed = await typed(operator, "applications", "list", "--owner", user, "--json")
    (application,) = [one for line in listed.splitlines() if (one := json.loads(line))["owner_user_id"] == user]
    changed = await typed(operator, "applications", "update", application["application_id"], "--name", "Mine")
    assert "Mine" in changed
    made = json.loads(await typed(operator, "clients", "new", account_id, "--json"))
    assert made["handles"][account_id].startswith("sgr_")
    assert made["client_id"] in await typed(operator, "clients", "list", "--user", user)
    await typed(operator, "clients", "revoke", made["client_id"])
    assert f"accounts undelete {account_id}" in await typed(operator, "accounts", "remove", account_id)
    restored = json.loads(await typed(operator, "accounts", "undelete", account_id, "--json"))
    assert restored["state"] == "ACCOUNT_STATE_ACTIVE"
    given = ("--region", "eu-west-1", "--expires", "2099-01-02", "--external-ref", user, "--label", "tier=gold")
    again = json.loads(await typed(operator, *words, "--json", *given, **secrets))
    assert (again["account_id"], again["region"], again["labels"]) == (account_id, "eu-west-1", {"tier": "gold"})
    assert again["authorization_expire_time"] == "2099-01-02T00:00:00Z"
    await typed(operator, "accounts", "remove", account_id)
    assert "ACCOUNT_INACTIVE" in await typed(operator, "call", "GET", "/x", "-a", account_id, code=1)
    await typed(operator, "accounts", "remove", account_id, "--hard", "--yes")
    assert "ACCOUNT_NOT_FOUND" in await typed(operator, "accounts", "show", account_id, code=1)


async def test_an_account_of_an_application_that_was_added_before(operator: Operator, seller: Seller) -> None:
    user = f"cli-{seller.seller_id}"
    secrets = {"SELLERGATE_LWA_CLIENT_SECRET": seller.client_secret, "SELLERGATE_REFRESH_TOKEN": seller.refresh_token}
    words = "--client-id", seller.client_id, "--owner", user, "--name", "Inventory", "--json"
    application = json.loads(await typed(operator, "applications", "add", *words, **secrets))
    assert application["name"] == "Inventory"
    given = "--user", user, "--seller", seller.seller_id, "--application", application["application_id"], "--json"
    added = json.loads(await typed(operator, "accounts", "add", *given, **secrets))
    assert added["application_id"] == application["application_id"]


async def test_calls_pages_quota_and_the_catalogue(rest: Rest, operator: Operator, seller: Seller, fast: None) -> None:
    account = "-a", await rest.connect(seller)
    body = await typed(operator, "call", "GET", "/sellers/v1/marketplaceParticipations", *account)
    assert json.loads(body)["payload"][0]["marketplace"]["id"] == seller.marketplace_id
    wanted = (
        "-p",
        f"MarketplaceIds={seller.marketplace_id}",
        "-p",
        f"CreatedAfter={SINCE}",
        "-p",
        "MaxResultsPerPage=10",
    )
    pages = (await typed(operator, "pages", "/orders/v0/orders", *account, *wanted)).splitlines()
    assert [len(json.loads(page)["payload"]["Orders"]) for page in pages] == [10, 10, 10]
    refused = await typed(operator, "call", "GET", "/orders/v0/orders", *account, code=1)
    assert "AMAZON_REJECTED" in refused
    as_is = await typed(operator, "call", "GET", "/orders/v0/orders", *account, "--as-is", "-i", code=1)
    assert "400 orders/v0/getOrders" in as_is
    assert "NAME=VALUE" in await typed(operator, "call", "GET", "/x", *account, "-p", "x", code=2)
    quota = json.loads(await typed(operator, "quota", "orders/v0/getOrders", *account, "--json"))
    assert quota["remaining"] <= quota["burst"]
    assert "OPERATION_NOT_FOUND" in await typed(operator, "quota", "nope", *account, code=1)
    assert "orders/2026-01-01/searchOrders" in await typed(operator, "operations", "search", "searchOrders")
    assert "refreshes" in await typed(operator, "tokens", "stats")
    assert "tokens dropped" in await typed(operator, "tokens", "clear", account[1])


async def test_a_report_and_a_feed(
    rest: Rest, operator: Operator, seller: Seller, fast: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    account = "-a", await rest.connect(seller)
    done = await asyncio.to_thread(operator.types, "report", "run", "GET_MERCHANT_LISTINGS_ALL_DATA", *account)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].endswith("DONE"), "progress is reported"
    written = tmp_path / done.stdout.strip()
    assert written.name == "GET_MERCHANT_LISTINGS_ALL_DATA.txt"
    assert written.read_bytes().count(b"\n") > 5
    (tmp_path / "feed.json").write_text('{"messages": []}')
    output = await typed(operator, "feed", "submit", "JSON_LISTINGS_FEED", "feed.json", *account, "-o", "result.json")
    assert "status DONE" in output
    assert json.loads((tmp_path / "result.json").read_text())
    assert {path.name for path in tmp_path.iterdir()} == {written.name, "feed.json", "result.json"}
    missing = await typed(operator, "report", "download", "nope", *account, "-o", "nope.txt", code=1)
    assert "AMAZON_NOT_FOUND" in missing
    assert not (tmp_path / "nope.txt").exists()


async def test_ctrl_c_leaves_no_half_file_and_prints_how_to_continue(
    rest: Rest, operator: Operator, seller: Seller, control: httpx.AsyncClient, fast: None, tmp_path: Path
) -> None:
    account_id = await rest.connect(seller)
    (await control.post("/control/processing", json={"step_seconds": 60})).raise_for_status()
    try:
        out = tmp_path / "listings.txt"
        running = operator.start("report", "run", "GET_MERCHANT_LISTINGS_ALL_DATA", "-a", account_id, "-o", str(out))
        assert running.stderr is not None
        line = await asyncio.to_thread(running.stderr.readline)
        running.send_signal(signal.SIGINT)
        _, rest_of_it = await asyncio.to_thread(running.communicate, None, 20)
    finally:
        (await control.post("/control/processing", json={"step_seconds": 0.2})).raise_for_status()
    assert running.returncode == 130
    report_id = line.split()[1]
    hint = f"Amazon still generates the report. Continue with: sellergate report run --resume {report_id}"
    assert f"Nothing was written. {hint}" in rest_of_it
    assert "Traceback" not in rest_of_it
    assert list(tmp_path.iterdir()) == []


async def test_a_report_that_amazon_fails_is_reported_as_failed_with_the_reason(
    rest: Rest, operator: Operator, seller: Seller, fast: None, tmp_path: Path
) -> None:
    account_id = await rest.connect(seller)
    options = ("--option", "simulator=FATAL", "--option", "simulatorReason=The time is too long.")
    arguments = (
        "report",
        "run",
        "GET_MERCHANT_LISTINGS_ALL_DATA",
        "-a",
        account_id,
        "-o",
        str(tmp_path / "x"),
        *options,
    )
    output = await typed(operator, *arguments, code=1)
    assert "Amazon's reason: The time is too long." in output
    assert "still generates" not in output
    assert list(tmp_path.iterdir()) == []


async def test_a_feed_that_takes_longer_than_the_operator_waits(
    rest: Rest, operator: Operator, control: httpx.AsyncClient, fast: None, tmp_path: Path
) -> None:
    seller, ids = Seller.made(), ["A2EUQ1WTGCTBG2", "ATVPDKIKX0DER", "A1AM78C64UM0Y8"]
    seed = seller.seed()
    seed["sellers"][0]["marketplace_ids"] = ids
    (await control.post("/control/seed", json=seed)).raise_for_status()
    connected = await rest.request("POST", "/api/amazon/accounts", json=seller.connection(marketplaceIds=ids))
    account = "-a", connected.json()["id"]
    (tmp_path / "feed.json").write_text('{"messages": []}')
    (await control.post("/control/processing", json={"step_seconds": 60})).raise_for_status()
    try:
        submit = ("feed", "submit", "JSON_LISTINGS_FEED", str(tmp_path / "feed.json"), "--seconds", "1")
        output = await typed(operator, *submit, *account, code=1)
        not_awaited = await typed(operator, *submit, *account, "--no-wait", "--marketplace", ids[0])
    finally:
        (await control.post("/control/processing", json={"step_seconds": 0.2})).raise_for_status()
    feed_id = output.splitlines()[0].removeprefix("feed ")
    assert f"Amazon has not ended the feed {feed_id} within 1 seconds" in output
    assert f"Continue with: sellergate feed wait {feed_id}" in output
    made = json.loads(await typed(operator, "call", "GET", f"/feeds/2021-06-30/feeds/{feed_id}", *account))
    assert made["marketplaceIds"] == ["ATVPDKIKX0DER"]
    (line,) = not_awaited.splitlines()
    other = json.loads(
        await typed(operator, "call", "GET", f"/feeds/2021-06-30/feeds/{line.removeprefix('feed ')}", *account)
    )
    assert other["marketplaceIds"] == [ids[0]]


async def test_the_doctor(operator: Operator, rest: Rest, seller: Seller, tmp_path: Path) -> None:
    await rest.connect(seller)
    found = {
        row["check"]: row for row in map(json.loads, (await typed(operator, "doctor", "--json")).strip().splitlines())
    }
    for check in ("certificate", "clock", "account", "account → database", "gateway → redis", "migrations"):
        assert found[check]["outcome"] == "OK", found[check]
    assert found["keys SELLERGATE_SEALING_KEYS"]["outcome"] == "OK"
    loose = tmp_path / "ring"
    loose.write_text("k1 short")
    loose.chmod(0o644)
    nowhere = {
        "SELLERGATE_GATEWAY_TARGET": "127.0.0.1:1",
        "SELLERGATE_SEALING_KEYS_FILE": str(loose),
        "SELLERGATE_EDGE_URL": "http://127.0.0.1:1",
    }
    output = await typed(operator, "doctor", code=1, **nowhere)
    for words in ("other users can read", "127.0.0.1:1: ", "check that the edge runs"):
        assert words in output
    other = Operator(rest.suite, "client/demo")
    assert "not an operator's" in await typed(other, "doctor", code=1, SELLERGATE_STATE_DIR=str(tmp_path))
