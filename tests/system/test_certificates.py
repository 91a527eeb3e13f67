"""The authority of the whole suite is replaced while it runs, as in docs/runbook.md: no call fails, and the old one ends."""

import asyncio
import shutil
from pathlib import Path

import httpx
import pytest
from sellergate_client import Sellergate
from sellergate_common.identity.renewal import LOOK_SECONDS
from sellergate_common.identity.tls import Identity
from sellergate_devstack.certificates import Authority
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.sellers import Seller
from tests.system.rolling import under_load

CALLS_OF_EACH_STEP = 400
NAMES = ("account", "token", "iam", "gateway", "edge", "client/demo")


def read(suite: Suite, name: str) -> Identity:
    files = suite.files(name)
    return Identity.of(files.ca, files.certificate, files.key)


async def let_in(suite: Suite, account_id: str, identity: Identity) -> bool:
    async with Sellergate.connect(suite.target("gateway"), suite.target("account"), identity) as client:
        check = client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations", seconds=5)
        return not isinstance((await asyncio.gather(check, return_exceptions=True))[0], BaseException)


@pytest.mark.timeout(600)
async def test_no_call_fails_while_the_authority_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_CONNECTION_AGE_SECONDS", "2")
    monkeypatch.setenv("SELLERGATE_USER_RATE", "100000")
    monkeypatch.setenv("SELLERGATE_USER_BURST", "100000")
    settings = DevstackSettings(state_dir=tmp_path / "s", simulator="on", **ephemeral_ports())
    new = Authority(tmp_path / "new")
    async with (
        running_suite(settings, lambda _: None) as suite,
        httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as control,
        httpx.AsyncClient(base_url=suite.edge, timeout=30, trust_env=False) as http,
        Sellergate.connect(suite.target("gateway"), suite.target("account"), read(suite, "client/demo")) as client,
    ):
        (await control.post("/control/rates", json={"scale": 100000, "burst_scale": 1000})).raise_for_status()
        (await control.post("/control/tokens", json={"life_seconds": 5})).raise_for_status()
        rest, seller = Rest(suite, http), await Seller.seeded(control)
        account_id = await rest.connect(seller)
        # Read once: the suite would replace files that its own authority has not signed.
        files = {name: suite.files(name) for name in NAMES}
        old, trusted = read(suite, "operator"), files["edge"].ca
        turn = 0

        async def call() -> None:
            nonlocal turn
            turn += 1
            if turn % 2:
                await client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")
            else:
                path = f"/api/amazon/accounts/{account_id}/sp-api/sellers/v1/marketplaceParticipations"
                assert (await rest.request("GET", path)).status_code == httpx.codes.OK

        async def lasts() -> None:
            """Wait until every process has read its files again and the load has made calls with them."""
            first = turn
            await asyncio.sleep(2 * LOOK_SECONDS)
            while turn < first + CALLS_OF_EACH_STEP:  # noqa: ASYNC110  (a busy machine takes longer)
                await asyncio.sleep(0.1)

        async def replaced() -> None:
            after = new.certificate_file.read_bytes()
            trusted.write_bytes(old.ca + after)
            await lasts()
            renewed()
            await lasts()
            trusted.write_bytes(after)
            await lasts()

        def renewed() -> None:
            for name, there in files.items():
                made = new.issue(name)
                shutil.copyfile(made.certificate, there.certificate)
                shutil.copyfile(made.key, there.key)

        ended = await under_load(8, call, replaced())
        print(f"\n{sum(ended.values())} calls while the authority was replaced: {dict(ended)}")
        assert set(ended) == {"OK"}
        assert ended["OK"] > 1000
        issued = new.issue("client/other")
        assert await let_in(suite, account_id, Identity.of(issued.ca, issued.certificate, issued.key))
        assert not await let_in(
            suite, account_id, Identity(new.certificate_file.read_bytes(), old.certificate, old.key)
        )
