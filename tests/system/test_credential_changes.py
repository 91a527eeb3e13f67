"""A thousand changes of credentials: five seconds after each, no call is made with the old ones."""

import random

import pytest

from tests.conftest import TestAuthority
from tests.integration.credential_changes import world

CHANGES, ACCOUNTS = 1_000, 100


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
