"""What one user's large bodies hold in the edge."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from sellergate_edge.limits.buffers import MAX_BUFFERED_BYTES

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

BODIES, BYTES = 20, 10 * 1024 * 1024 - 1


def peak_of(pid: int) -> int:
    """The most memory that a process has held, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.timeout(300)
async def test_twenty_large_bodies_of_a_user_hold_what_a_user_may(rest: Rest, seller: Seller, fast: None) -> None:
    user = f"bodies-{seller.seller_id}"
    path = f"/api/amazon/accounts/{await rest.connect(seller, user)}/sp-api/feeds/2021-06-30/documents"
    pid = rest.suite.pids["edge"]
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the present size is the peak from now on
    before = peak_of(pid)

    async def call() -> int:
        response = await rest.ask("POST", path, user, content=b"x" * BYTES)
        return response.status_code

    statuses = Counter(await asyncio.gather(*(call() for _ in range(BODIES))))
    held = peak_of(pid) - before
    print(f"{BODIES} bodies of {BYTES:,} bytes: {dict(statuses)}; {held / 2**20:.0f} MiB above idle")
    assert statuses[429] > 0
    # Each byte is copied on its way: joined, into the message, onto the wire.
    assert held < 5 * MAX_BUFFERED_BYTES
    assert (await rest.ask("GET", "/api/amazon/accounts", user)).status_code == 200
