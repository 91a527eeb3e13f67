"""Ten thousand writes while Amazon fails in every way: each is done once, or its outcome is reported as unknown."""

import httpx
import pytest
from sellergate_client import Sellergate

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.test_writes import write_all


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("fast")
async def test_ten_thousand_writes_are_executed_once_or_reported_as_unknown(
    rest: Rest, control: httpx.AsyncClient, client: Sellergate, seller: Seller
) -> None:
    # On a busy machine the gateway's own response may take up to two seconds.
    await write_all(10_000, 64, rest, control, client, seller, seconds=8.0)
