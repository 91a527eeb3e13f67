"""A certificate that the command line made: it may make calls and read accounts, and nothing else."""

import asyncio
from pathlib import Path

import pytest
from sellergate_client import NotAllowed, Sellergate
from sellergate_common.identity.tls import Identity

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller


async def test_a_new_client_calls_and_changes_nothing(rest: Rest, seller: Seller, tmp_path: Path, fast: None) -> None:
    suite, account_id = rest.suite, await rest.connect(seller)
    words = "certificates", "new", "client/orders", "--output", str(tmp_path)
    state = "--state-dir", str(suite.plan.state.folder)
    done = await asyncio.to_thread(Operator(suite).types, *words, *state)
    assert done.returncode == 0, done.stderr
    given = dict(line.split("=", 1) for line in done.stdout.splitlines())
    ca, certificate, key = (Path(given[f"SELLERGATE_TLS_{one}_FILE"]).read_bytes() for one in ("CA", "CERT", "KEY"))
    identity = Identity(ca, certificate, key)
    async with Sellergate.connect(suite.target("gateway"), suite.target("account"), identity) as client:
        assert (await client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")).status == 200
        assert (await client.accounts.get(account_id)).amazon_seller_id == seller.seller_id
        with pytest.raises(NotAllowed, match="client/orders may not call"):
            await client.accounts.delete(account_id)
