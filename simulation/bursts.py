"""Operations with many calls at once: bursts, which wait for slots, and storms, in which many calls fail together."""

import asyncio
from typing import Any

from sellergate_common.tasks import retrieve

from simulation import gateway
from simulation.faults import SLOWEST_COMMIT
from simulation.plan import BURST_CALLS, STORM_CALLS, Operation
from simulation.races import gather

# The longest wait for the only slot of a second, after the callers before have left.
SLOT_SECONDS = 2.6
# The changes that are stored before a token is returned: of the account, and of the refresh token that LWA sends.
COMMITS_OF_EXCHANGE = 2
# Amazon's 429 delays the calls of these seconds.
THROTTLED_SECONDS = 30.0


async def burst(client: Any, operation: Operation) -> str:
    """Let many callers at once wait for a slot, at one gateway or at all, until they leave or get it."""
    return await (_leave(client, operation) if operation.draw < 0.5 else _stay(client, operation))


async def _stay(client: Any, operation: Operation) -> str:
    calls = [
        client.call(operation.account, index, gateway.READS[1], f"op-{operation.number}-{index}", 20.0)
        for index in range(BURST_CALLS)
    ]
    await gather(*calls)
    return "all have ended"


async def _leave(client: Any, operation: Operation) -> str:
    """Let callers that wait for a slot leave; the next caller must not wait for their slots."""
    replica, name, began = operation.replica, gateway.READS[1], client.checker.now
    keys = [f"op-{operation.number}-{index}" for index in range(BURST_CALLS)]
    calls = [
        asyncio.get_running_loop().create_task(client.call(operation.account, replica, name, key, 20.0))
        for key in keys[:-1]
    ]
    for one in calls:
        one.add_done_callback(retrieve)
    try:
        await asyncio.sleep(0.3 + 0.8 * operation.draw)
    finally:
        for one in calls:
            one.cancel()
    await asyncio.wait(calls)
    await asyncio.sleep(0.5)
    asked = client.checker.now
    await client.call(operation.account, replica, name, keys[-1], 20.0)
    waited, most = client.checker.now - asked, SLOT_SECONDS
    if client.checker.active(began, asked, frozenset({"slow_commits"})):
        # The call may wait for a token, whose exchange stores a refresh token.
        most += COMMITS_OF_EXCHANGE * SLOWEST_COMMIT
    if waited > most and not _is_slowed(client, began, asked + most):
        client.history.violate("slots", f"{keys[-1]} waited {waited:.2f} s for slots of callers that had left")
    return f"waited {waited:.3f} s"


def _is_slowed(client: Any, began: float, until: float) -> bool:
    """Return whether a fault, or an earlier 429 of Amazon, explains that a slot comes late."""
    since, checker = began - THROTTLED_SECONDS, client.checker
    throttled = any(since <= at <= until for at in client.world.amazon.throttled)
    odd = checker.active(since, until, frozenset({"spapi_odd"}))
    return throttled or odd or bool(checker.disturbed(began - 8.0, until))


async def storm(client: Any, operation: Operation) -> str:
    """Make many calls through one gateway, so that breakers and budgets matter while Amazon fails."""
    calls = []
    for index in range(STORM_CALLS):
        key = f"op-{operation.number}-{index}"
        attempt = client.call(operation.account, operation.replica, gateway.READS[2], key, operation.deadline)
        calls.append(asyncio.get_running_loop().create_task(attempt))
        calls[-1].add_done_callback(retrieve)
        await asyncio.sleep(0.1)
    done, _ = await asyncio.wait(calls)
    return f"{sum(not one.cancelled() and one.exception() is None for one in done)} responses"
