"""Every replica replaced one after the other, ten times, under a constant load of reads and writes: no call fails."""

from pathlib import Path

import httpx
import pytest
from sellergate_client import Sellergate

from tests.e2e.sellers import Seller
from tests.system.rolling import doubled, under_load

ROUNDS = 10


@pytest.mark.timeout(1800)
async def test_no_call_fails_while_everything_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_USER_RATE", "100000")
    monkeypatch.setenv("SELLERGATE_USER_BURST", "100000")
    async with (
        doubled(tmp_path) as world,
        httpx.AsyncClient(base_url=world.suite.simulator or "", timeout=10, trust_env=False) as control,
        Sellergate.connect(
            world.targets["gateway"],
            world.targets["account"],
            world.suite.identity("operator"),
            world.targets["token"],
        ) as client,
        httpx.AsyncClient(timeout=30, trust_env=False) as rest,
    ):
        (await control.post("/control/rates", json={"scale": 100000, "burst_scale": 1000})).raise_for_status()
        # Tokens live two seconds, so that every replica of every service gets calls all the time.
        (await control.post("/control/tokens", json={"life_seconds": 5})).raise_for_status()
        seller = await Seller.seeded(control)
        rest.headers["Authorization"] = f"Bearer {world.suite.jwt('u1')}"
        made = await rest.post(f"{world.suite.edge}/api/amazon/accounts", json=seller.connection())
        account_id = made.json()["id"]
        turn = 0

        async def call() -> None:
            nonlocal turn
            turn += 1
            if turn % 4 == 3:
                balanced = list(world.edges.values())
                path = f"/api/amazon/accounts/{account_id}/sp-api/sellers/v1/marketplaceParticipations"
                url = balanced[turn // 4 % len(balanced)] + path
                # REST calls do not wait for quota: sixteen callers at once are one more than the operation's burst.
                while (response := await rest.get(url)).status_code == httpx.codes.TOO_MANY_REQUESTS:
                    pass
                assert response.status_code == httpx.codes.OK, response.text
            elif turn % 4 == 0:
                path = "/feeds/2021-06-30/documents"
                await client.call(account_id, "POST", path, json={"contentType": "text/plain"})
            elif turn % 4 == 1:
                await client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")
            else:
                await client.accounts.get(account_id)

        async def replaced() -> None:
            for _ in range(ROUNDS):
                for supervisor, process in world.replicas:
                    await world.replace(supervisor, process)

        ended = await under_load(16, call, replaced())
        print(
            f"\n{sum(ended.values())} calls while {ROUNDS * len(world.replicas)} processes were replaced: {dict(ended)}"
        )
        assert set(ended) == {"OK"}
        assert ended["OK"] > 1000
