"""A thousand changes of credentials: from five seconds after each, no call uses the old ones."""

import asyncio
import random
from pathlib import Path

import pytest
from sellergate_common.errors import Reason

from tests.conftest import TestAuthority
from tests.integration.credential_changes import world
from tests.system.changing_accounts import changing

CHANGES, ACCOUNTS = 1_000, 100
PAUSE_SECONDS = 10.0


@pytest.mark.timeout(900)
async def test_no_old_grant_is_used_after_the_bound(redis_url: str, authority: TestAuthority) -> None:
    draw = random.Random()
    async with world(redis_url, authority, ACCOUNTS) as running:
        accounts = [f"account-{number % ACCOUNTS}" for number in range(CHANGES)]
        draw.shuffle(accounts)
        late = sum([await running.change(account, draw) for account in accounts])
        print(
            f"\n{CHANGES} changes of {ACCOUNTS} accounts, {running.amazon.given} tokens and sessions, {late} used late"
        )
        assert late == 0


@pytest.mark.timeout(2400)
async def test_changes_that_overlap_are_in_force_also_at_replicas_that_are_cut_off_from_redis(tmp_path: Path) -> None:
    """A thousand changes of refresh tokens and a thousand of roles, on real processes, with calls all the time."""
    of_each = CHANGES // ACCOUNTS
    async with changing(tmp_path, ACCOUNTS, of_each + 1, random.Random()) as running:
        async with asyncio.timeout(1800):
            await running.run(of_each, PAUSE_SECONDS)
        made = sum(len(moments) for account in running.accounts for moments in account.changes.values())
        print(
            f"\n{made} changes of {ACCOUNTS} accounts, {running.cuts} cuts, {running.replaced} calls with a grant that was"
            f" replaced, {len(running.late)} of them late: {dict(running.ended)}"
        )
        assert made == 2 * CHANGES
        assert running.late == []
        assert running.replaced > 0, "the cuts were not felt"
        # A busy machine refuses calls, which are retried; no other failure is accepted.
        assert set(running.ended) <= {"OK", Reason.OVERLOADED}
