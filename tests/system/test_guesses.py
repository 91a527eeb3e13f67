"""A flood of wrong logins at the token URL, beside a client that exchanges all the while."""

import asyncio
from collections import Counter

import pytest

from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn, neighbour
from tests.e2e.sellers import Seller

WRONG_LOGINS, AT_ONCE, PER_SECOND = 10_000, 20, 10


@pytest.mark.timeout(900)
async def test_ten_thousand_wrong_logins_refuse_no_right_one(rest: Rest, seller: Seller, fast: None) -> None:
    user = f"flood-{seller.seller_id}"
    sdk = await DropIn.made(rest, user, await rest.connect(seller, user))
    async with neighbour(rest.suite, "127.0.0.91") as client:
        left = iter(range(WRONG_LOGINS))
        wrong: Counter[int] = Counter()
        right: Counter[int] = Counter()

        async def guess() -> None:
            for number in left:
                changes = {"client_secret": f"sgs_{number}"} if number % 2 else {"client_id": f"sgc_{number}"}
                wrong[(await sdk.exchange(client, **changes)).status_code] += 1

        async def exchange(until: asyncio.Event) -> None:
            while not until.is_set():
                right[(await sdk.exchange(client)).status_code] += 1
                await asyncio.sleep(1 / PER_SECOND)

        over = asyncio.Event()
        exchanging = asyncio.create_task(exchange(over))
        await asyncio.gather(*(guess() for _ in range(AT_ONCE)))
        over.set()
        await exchanging
        print(f"wrong logins: {dict(wrong)}; right ones: {dict(right)}")
        assert wrong.total() == WRONG_LOGINS
        assert set(wrong) == {401, 429}
        assert set(right) == {200}
        assert right[200] >= 20
