"""Memory of the edge for large bodies of one user and of many."""

import asyncio
from collections import Counter

import pytest

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.system.processes import megabytes, peaks

BODIES, BYTES, MOST_MEGABYTES = 20, 10 * 1024 * 1024 - 1, 32.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("users", "size"), [(1, BYTES), (BODIES, BYTES), (BODIES, 1024 * 1024), (BODIES, 200_000)])
async def test_twenty_large_bodies_cost_little_memory(
    rest: Rest, seller: Seller, fast: None, users: int, size: int
) -> None:
    senders = [f"bodies-{number}-{seller.seller_id}" for number in range(users)]
    paths = [
        f"/api/amazon/accounts/{await rest.connect(seller, user)}/sp-api/feeds/2021-06-30/documents" for user in senders
    ]

    async def call(number: int) -> int:
        which = number % users
        response = await rest.request("POST", paths[which], senders[which], content=b"x" * size)
        assert response.status_code not in (429, 503) or int(response.headers["Retry-After"]) > 0
        return response.status_code

    rises = dict[str, float]()
    idle = megabytes(rest.suite)["edge"]
    with peaks(rest.suite, ["edge"], "bodies", rises):
        statuses = Counter(await asyncio.gather(*(call(number) for number in range(BODIES))))
    kept = megabytes(rest.suite)["edge"] - idle
    rise = rises["edge: bodies"]
    print(f"{BODIES} bodies of {size:,} bytes, {users} users: {dict(statuses)}; {rise} MiB above idle, {kept:.1f} kept")
    assert rise <= MOST_MEGABYTES
    assert set(statuses) <= {400, 429, 503}, statuses  # 400: Amazon's response
    assert statuses[400] > 0
    if size == BYTES:
        assert statuses[429 if users == 1 else 503] > 0
    assert (await rest.request("GET", "/api/amazon/accounts", senders[0])).status_code == 200
