"""A scenario: load, a fault, the wait until every operation succeeds again, and the check of all invariants."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from sellergate.iam.v1 import iam_service_pb2, iam_service_pb2_grpc
from sellergate_common.cache.entries import COOL_OFF_SECONDS
from sellergate_common.errors import SellergateError
from sellergate_common.rpc.channel import invoke, open_channel

from chaos.acting import acting, seconds_of
from chaos.faults import Scenario
from chaos.history import History
from chaos.invariants import Known, Seen, Violation, check
from chaos.load import Load
from chaos.quiescence import Logs, at_rest
from chaos.world import World, target_of

# The load before a fault, and the time without a failure that counts as recovered, in seconds.
WARM_SECONDS, QUIET_SECONDS = 2.0, 3.0
LONGEST_RECOVERY_SECONDS = 75.0
# Until then a client has to find a dead connection, which it may use seldom: gRPC sends a ping after 30 s, and waits for 10 s.
DEAD_SECONDS = 45.0
CALLERS = 1
# AWS ends all sessions at most so often: credentials that it refuses again within a minute are not replaced, as it is meant.
EXPIRE_SECONDS = COOL_OFF_SECONDS + 5.0
_LOOK_SECONDS = 0.2
_READS = 3
_CLEAR_SECONDS = 10.0


@dataclass
class Result:
    """What a scenario showed. `recovery` is how long after the fault's end an operation began that failed, in seconds."""

    name: str
    group: str
    recovery: float
    rest: float
    seconds: float
    operations: int
    failed: dict[str, int]
    exchanges: int
    throttled: int
    late: float
    violations: list[str] = field(default_factory=list)

    @classmethod
    def broken(cls, name: str, words: str) -> "Result":
        """Return the result of a scenario that could not be ended."""
        return cls(name, "broken", LONGEST_RECOVERY_SECONDS, 0.0, 0.0, 0, {}, 0, 0, 0.0, [words])


class Scenarios:
    """The scenarios of one world, one after the other."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._known = Known()
        self._logs = Logs(load.world)
        self._expired_at = -EXPIRE_SECONDS

    async def run(self, scenario: Scenario) -> Result:
        """Run a scenario and return what it showed."""
        began, load, world = time.monotonic(), self._load, self._load.world
        load.history = history = History()
        for number, version in (await _versions(load)).items():
            load.accounts[number].version = version
        throttled = (await world.get_control("counters"))["throttled"]
        await world.post_control("journal")
        running = asyncio.create_task(load.run(CALLERS))
        try:
            await _until_quiet(load, began, WARM_SECONDS)
            needs_iam = any("iam" in fault.place or "sts" in fault.place for fault in scenario.faults)
            expires = needs_iam and time.monotonic() - self._expired_at > EXPIRE_SECONDS
            if needs_iam and not expires:
                await _clear_credentials(world)
            at = time.monotonic()
            async with acting(load, scenario.faults):
                if expires:
                    self._expired_at = time.monotonic()
                    await world.post_control("sessions/expire")
                await asyncio.sleep(seconds_of(scenario.faults))
            ended = time.monotonic()
            recovery = await _until_quiet(load, ended, QUIET_SECONDS)
        finally:
            load.stop()
            await running
            await asyncio.to_thread(world.relays.end_dead)
        rest, violations = await at_rest(world)
        journal = await world.get_control("journal")
        throttled = (await world.get_control("counters"))["throttled"] - throttled
        versions = await _versions(load)
        seen = Seen(scenario, history, load.accounts, journal, throttled, versions, at)
        violations += check(seen, self._known) + self._logs.check()
        if recovery is None:
            failing = Counter(f"{one.kind}: {one.outcome}" for one in history.failed() if one.began > ended)
            violations.append(Violation("convergence", f"operations still fail: {dict(failing)}"))
        return Result(
            name=scenario.name,
            group=scenario.faults[0].group if len(scenario.faults) == 1 else "pair",
            recovery=round(LONGEST_RECOVERY_SECONDS if recovery is None else recovery, 1),
            rest=round(rest, 1),
            seconds=round(time.monotonic() - began, 1),
            operations=len(history.operations),
            failed=dict(Counter(f"{one.kind}: {one.outcome}" for one in history.failed())),
            exchanges=len(journal["exchanges"]),
            throttled=throttled,
            late=round(sum(late for _, late in history.delays), 1),
            violations=list(dict.fromkeys(map(str, violations))),
        )


async def _clear_credentials(world: World) -> None:
    """Let iam drop all credentials, so that the next calls need it; just after a fault it may refuse."""
    target = target_of([relay.target for relay in world.relays.links["gateway->iam"]])
    async with open_channel(target, "iam", world.identity("operator"), []) as channel:
        clear = iam_service_pb2_grpc.IamServiceStub(channel).ClearCredentialsCache
        with suppress(SellergateError):
            await invoke(
                clear, iam_service_pb2.ClearCredentialsCacheRequest(), dependency="iam", seconds=_CLEAR_SECONDS
            )


async def _versions(load: Load) -> dict[int, int]:
    """Return the version of each account. Raises SellergateError if none responds within some attempts."""
    for attempt in range(_READS):
        try:
            return {one.number: (await load.sellergate.accounts.get(one.id)).version for one in load.accounts}
        except SellergateError:
            if attempt + 1 == _READS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _until_quiet(load: Load, since: float, seconds: float) -> float | None:
    """Wait until no operation that began later has failed for `seconds`, and each kind has succeeded.

    Wait also, for a time, while connections of the fault are dead and in use. Return how long after `since` the last failing
    operation began; None after LONGEST_RECOVERY_SECONDS.
    """
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now, last = time.monotonic(), since
        later = [one for one in load.history.operations if one.began >= since]
        for one in later:
            if one.ended and not one.is_ok:
                last = max(last, one.began)
        done = Counter(one.kind for one in later if one.is_ok and one.began >= last)
        pending = any(not one.ended and one.began < now - seconds for one in later)
        pending |= load.world.relays.dead > 0 and now - since < DEAD_SECONDS
        if now - last >= seconds and not pending and all(done[kind] for kind in load.kinds):
            return last - since
        if now - since > LONGEST_RECOVERY_SECONDS:
            return None
