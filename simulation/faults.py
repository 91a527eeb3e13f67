"""The faults of a plan: each begins at its time and ends by itself, so that recovery can be checked afterwards."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from simulation.cluster import RING, Cluster
from simulation.invariants import Checker
from simulation.plan import Fault
from simulation.world.loop import SimulationLoop
from simulation.world.network import SLOW_SHARE, SLOWEST

# A fault that waits for an owner of a lease gives up after these seconds.
OWNER_SECONDS = 6.0
# The seconds that an exchange may take after the end of an outage in which it is slow.
LATE_SECONDS = 6.0
# The longest time of a COMMIT, and of the account service's reply, while they are slow, in seconds.
SLOWEST_COMMIT, SLOWEST_REPLY = 0.5, 1.5
# The longest time from the end of a lease until its owner continues, in seconds: while the next owner works, and while LWA is slow.
LEASE_OVERLAP_SECONDS, SLOW_OVERLAP_SECONDS = 0.15, 2.5


class Faults:
    """The faults of one run."""

    def __init__(self, cluster: Cluster, checker: Checker) -> None:
        self._cluster = cluster
        self._checker = checker
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, faults: tuple[Fault, ...]) -> None:
        """Carry out all faults, and return when the last one has ended."""
        await asyncio.gather(*(self._at_its_time(fault) for fault in faults))

    async def _at_its_time(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        self._cluster.world.history.note("fault", str(fault))
        self._checker.faults.append(replace(fault, at=asyncio.get_running_loop().time()))
        kind, _, detail = fault.kind.partition("_")
        method: Callable[[Fault], asyncio.Future[None]] | None = getattr(self, f"_{fault.kind}", None)
        if method is not None:
            await method(fault)
        else:
            await self._outage(kind, detail, fault.seconds)

    async def _crash(self, fault: Fault) -> None:
        replica = self._cluster.replicas.get(fault.target)
        if replica is not None:
            replica.kill()
            await asyncio.sleep(fault.seconds)
            replica.start()

    async def _stop(self, fault: Fault) -> None:
        replica = self._cluster.replicas.get(fault.target)
        if replica is not None:
            await replica.stop()
            await asyncio.sleep(fault.seconds)
            replica.start()

    async def _freeze(self, fault: Fault) -> None:
        replica, loop = self._cluster.replicas.get(fault.target), asyncio.get_running_loop()
        if replica is not None and replica.node is not None and not replica.node.frozen:
            assert isinstance(loop, SimulationLoop)
            loop.freeze(replica.node, fault.seconds)
            await asyncio.sleep(fault.seconds)

    async def _freeze_owner(self, fault: Fault) -> None:
        """Freeze the next owner of a lease; most owners continue while the next one works, or stores its result."""
        name, until = await self._next_owner(self._checker.on_contest)
        kind, draw, seconds = (
            self._cluster.world.random.randrange(3),
            self._cluster.world.random.random(),
            fault.seconds,
        )
        left = until - asyncio.get_running_loop().now  # type: ignore[attr-defined]
        if name and kind == 0:
            seconds = left + LEASE_OVERLAP_SECONDS * draw
        elif name and kind == 1:
            seconds = left + SLOW_OVERLAP_SECONDS * draw
            slow = Fault(-1, "lwa_slow", asyncio.get_running_loop().time() + left, SLOW_OVERLAP_SECONDS, "")
            self._checker.faults.append(slow)
            asyncio.get_running_loop().call_later(left, self._begin, self._outage("lwa", "slow", slow.seconds))
        await self._freeze(replace(fault, target=name, seconds=seconds))

    async def _freeze_exchange(self, fault: Fault) -> None:
        """Freeze a replica when LWA has issued its token, for longer than its lease: the next owner stores a newer token first."""
        name, _ = await self._next_owner(self._cluster.world.amazon.on_exchange, longest_work=0.0)
        await self._freeze(replace(fault, target=name))

    async def _crash_owner(self, fault: Fault) -> None:
        name, _ = await self._next_owner(self._checker.on_lease)
        await self._crash(replace(fault, target=name))

    async def _next_owner(
        self, waiters: list[Callable[[str, float], None]], longest_work: float = 0.06
    ) -> tuple[str, float]:
        """Wait for the next owner of a lease, and up to `longest_work` seconds of its work. `waiters` are called with the owner.

        Return its name ("" if there is none) and the time of the run at which its lease ends, in seconds.
        """
        owner: asyncio.Future[tuple[str, float]] = asyncio.get_running_loop().create_future()
        waiters.append(lambda *found: owner.done() or owner.set_result(found))
        try:
            async with asyncio.timeout(OWNER_SECONDS):
                name, until = await owner
        except TimeoutError:
            return "", 0.0
        await asyncio.sleep(self._cluster.world.random.random() * longest_work)
        self._cluster.world.history.note("fault", f"meets {name}")
        self._checker.faults.append(Fault(-1, "freeze", asyncio.get_running_loop().time(), 9.0, name))
        return name, until

    async def _isolated(self, fault: Fault) -> None:
        """Cut a node from the account service and from Redis."""
        others = [name for name in self._cluster.replicas if name.startswith("account")]
        await asyncio.gather(*(self._cut_between(fault.target, one, fault.seconds) for one in (*others, "redis")))

    async def _freeze_redis(self, fault: Fault) -> None:
        node, loop = self._cluster.world.redis.node, asyncio.get_running_loop()
        if not node.frozen:
            assert isinstance(loop, SimulationLoop)
            loop.freeze(node, fault.seconds)
            await asyncio.sleep(fault.seconds)

    async def _cut(self, fault: Fault) -> None:
        await self._cut_between(fault.target, fault.other, fault.seconds)

    async def _cut_redis(self, fault: Fault) -> None:
        await self._cut_between(fault.target, "redis", fault.seconds)

    async def _cut_between(self, one: str, other: str, seconds: float) -> None:
        network = self._cluster.world.network
        network.cut(one, other, until_healed=True)
        await asyncio.sleep(seconds)
        network.cut(one, other, until_healed=False)

    async def _empty_redis(self, _: Fault) -> None:
        self._cluster.world.redis.lose_data()
        self._checker.redis_lost_data()

    async def _garbled_redis(self, _: Fault) -> None:
        """Replace the entries of caches by text that no process understands, as another release would store it."""
        self._cluster.world.redis.garble(RING.seal)

    async def _readonly_redis(self, fault: Fault) -> None:
        """Let Redis refuse writes, as a replica does that has not taken over yet."""
        redis = self._cluster.world.redis
        redis.readonly += 1
        await asyncio.sleep(fault.seconds)
        redis.readonly -= 1

    async def _reset_redis(self, fault: Fault) -> None:
        self._cluster.world.redis.reset(fault.target)

    async def _resets(self, fault: Fault) -> None:
        weather = self._cluster.world.network.weather
        weather.reset += 0.04
        await asyncio.sleep(fault.seconds)
        weather.reset = max(0.0, weather.reset - 0.04)

    async def _slow(self, fault: Fault) -> None:
        weather = self._cluster.world.network.weather
        weather.slowness, weather.slowest = 0.4, 0.4
        await asyncio.sleep(fault.seconds)
        weather.slowness, weather.slowest = SLOW_SHARE, SLOWEST

    async def _duplicates(self, fault: Fault) -> None:
        switchboard = self._cluster.world.switchboard
        switchboard.duplicates += 0.3
        await asyncio.sleep(fault.seconds)
        switchboard.duplicates = max(0.0, switchboard.duplicates - 0.3)

    async def _unannounced(self, fault: Fault) -> None:
        redis = self._cluster.world.redis
        redis.muted += 1
        await asyncio.sleep(fault.seconds)
        redis.muted -= 1

    async def _slow_commits(self, fault: Fault) -> None:
        database = self._cluster.world.database
        database.slowest_commit = SLOWEST_COMMIT
        await asyncio.sleep(fault.seconds)
        database.slowest_commit = 0.0

    async def _slow_replies(self, fault: Fault) -> None:
        """Let many replies of the account service arrive late."""
        switchboard = self._cluster.world.switchboard
        switchboard.slow_service, switchboard.slowest_reply = "account", SLOWEST_REPLY
        await asyncio.sleep(fault.seconds)
        switchboard.slowest_reply = 0.0

    async def _late_renewals(self, fault: Fault) -> None:
        """Let exchanges take longer than a renewal, and replies to renewals meet the end of their leases."""
        redis = self._cluster.world.redis

        def end() -> None:
            redis.holds_renewals -= 1

        redis.holds_renewals += 1
        # The exchanges of the outage take some seconds more.
        asyncio.get_running_loop().call_later(fault.seconds + LATE_SECONDS, end)
        await self._outage("lwa", "slow", fault.seconds)

    async def _late_acquires(self, fault: Fault) -> None:
        """Let requests for leases arrive when their owners have done the work."""
        redis = self._cluster.world.redis
        redis.late_acquires += 1
        await asyncio.sleep(fault.seconds)
        redis.late_acquires -= 1

    def _begin(self, fault: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(fault)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _outage(self, host: str, kind: str, seconds: float) -> None:
        outage = self._cluster.world.amazon.outage
        setattr(outage, host, kind)
        await asyncio.sleep(seconds)
        setattr(outage, host, "")
