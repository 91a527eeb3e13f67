"""Refused credentials are renewed once, and dropped again if they come back."""

import asyncio

from sellergate_common.cache.entries import COOL_OFF_SECONDS
from sellergate_gateway.credentials.cool_off import SETTLED_SECONDS, CoolOff


async def test_credentials_that_come_back_after_their_drop_are_dropped_again() -> None:
    now, dropped = [100.0], []
    cool_off = CoolOff(lambda: now[0])

    async def refuse(mark: str, issued: float = 100.0) -> bool:
        async def drop() -> None:
            dropped.append(mark)

        return await cool_off.renew("account", mark, issued, drop)

    assert await asyncio.gather(*(refuse("old") for _ in range(5))) == [True] * 5
    now[0] += SETTLED_SECONDS - 0.1
    assert await refuse("old")
    assert dropped == ["old"]
    assert not await refuse("new")
    now[0] += 0.2
    assert await refuse("old")
    assert dropped == ["old", "old"]
    now[0] += COOL_OFF_SECONDS - SETTLED_SECONDS - 0.2
    assert not await refuse("new")
    now[0] += 0.2
    assert await refuse("new")
    assert dropped == ["old", "old", "new"]


async def test_other_credentials_that_were_issued_before_a_renewal_are_renewed_too() -> None:
    """AWS may end several sessions of an account at once: that of the previous revision, or of another replica."""
    dropped = list[str]()
    cool_off = CoolOff(lambda: 100.0)

    async def refuse(mark: str, issued: float) -> bool:
        async def drop() -> None:
            dropped.append(mark)

        return await cool_off.renew("account", mark, issued, drop)

    assert await refuse("first", 10.0)
    assert await refuse("second", 50.0)
    assert not await refuse("new", 100.0)
    assert dropped == ["first", "second"]
