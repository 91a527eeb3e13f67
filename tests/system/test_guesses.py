"""A flood of wrong logins at the token URL, during a client's regular exchanges."""

import asyncio
import time
from collections import Counter
from itertools import count

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

        async def exchange() -> None:
            right[(await sdk.exchange(client)).status_code] += 1

        async def exchange_all_the_while() -> None:
            """Start ten exchanges a second, even while earlier ones run; then wait for all of them."""
            async with asyncio.TaskGroup() as exchanges:
                for number in count():
                    if over.is_set():
                        return
                    exchanges.create_task(exchange())
                    # This process also makes the guesses. If it is late, it starts the next exchanges without a pause.
                    await asyncio.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))

        over, begun = asyncio.Event(), time.monotonic()
        exchanging = asyncio.create_task(exchange_all_the_while())
        await asyncio.gather(*(guess() for _ in range(AT_ONCE)))
        seconds = time.monotonic() - begun
        over.set()
        await exchanging
        rate = right.total() / seconds
        print(f"wrong logins: {dict(wrong)}; right ones: {dict(right)}, {rate:.1f} a second")
        assert wrong.total() == WRONG_LOGINS
        assert set(wrong) == {401, 429}
        assert set(right) == {200}
        assert rate >= 0.9 * PER_SECOND
