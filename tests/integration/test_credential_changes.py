"""A changed credential is in force everywhere five seconds after it was acknowledged, also in a service without notifications."""

import random

from tests.conftest import TestAuthority
from tests.integration.credential_changes import world

CHANGES, ACCOUNTS = 30, 10


async def test_no_old_grant_is_used_after_the_bound(redis_url: str, authority: TestAuthority) -> None:
    draw = random.Random(7)
    async with world(redis_url, authority, ACCOUNTS) as running:
        late = [await running.change(f"account-{draw.randrange(ACCOUNTS)}", draw) for _ in range(CHANGES)]
        assert sum(late) == 0
        assert running.amazon.given >= 2 * CHANGES
