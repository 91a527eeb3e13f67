"""One run of a plan: start, operations under faults, recovery, and the checks at the end."""

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache, partial

from sellergate_common.errors import Reason, SellergateError
from sellergate_common.flights.lease import LEASE_SECONDS
from sellergate_common.flights.local_flight import FLIGHT_SECONDS
from sellergate_token.lwa.client import EXCHANGE_SECONDS

from simulation import gateway
from simulation.cluster import FLIGHT, Cluster, World, make_world
from simulation.faults import Faults
from simulation.history import History, Violation
from simulation.invariants import Checker
from simulation.plan import ACCOUNTS, REPLICAS, Plan
from simulation.services import SERVICES
from simulation.workload import Client
from simulation.world.loop import NoProgress
from simulation.world.patches import replaced_world

# The seconds after which the background tasks of all replicas run.
START_SECONDS = 0.5
# The seconds after the faults within which everything must work again: trust in copies, and pauses after failures.
RECOVERY_SECONDS = 3.0
# The longest time for which the request of a fetch waits for each host of Amazon, in seconds.
SILENCE_SECONDS = {"lwa": EXCHANGE_SECONDS + 1.0, "spapi": FLIGHT_SECONDS + 1.0}
# The services whose fetches send requests to each host themselves.
SENDERS = {"lwa": "token", "spapi": "gateway"}
SHORTEST_IDLE_SECONDS, IDLE_SECONDS = 0.2, 2.5
# The longest pause of a circuit breaker, and a probe.
CONVERGENCE_SECONDS = 40.0
_TRANSIENT = ("_Call._handle",)
# The prefix of the leases of tokens; gateways hold all others.
TOKEN_LEASE = "tok"
LEASE = b":lease"
"""The end of the names of leases."""


@dataclass(slots=True)
class Result:
    """The result of a run."""

    plan: Plan
    lines: list[str]
    violations: list[Violation]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether an invariant is broken."""
        return bool(self.violations)


def run_plan(plan: Plan, *, keeps: bool = False) -> Result:
    """Run a plan and return its history. With `keeps` this process keeps the run's objects, which is faster than to remove them."""
    _freeze_modules()
    # Coroutines of the run that are removed with its last references cannot await any more, which Python would report.
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        result = _run(plan, keeps)
        if not keeps:
            gc.collect()
        return result
    finally:
        sys.unraisablehook = hook


def _run(plan: Plan, keeps: bool) -> Result:
    history = History()
    checker = Checker(history)
    rates = gateway.rates()
    with replaced_world(str(plan.seed), checker.on_log, keeps=keeps) as loop, ExitStack() as stack:
        history.now = lambda: loop.now
        history.abort = lambda: setattr(loop, "aborted", True)
        world = make_world(plan, loop, history, rates, checker.on_commit, checker.on_command)
        checker.world = world
        world.amazon.on_call, world.amazon.on_expired = checker.on_call, checker.on_expired
        world.switchboard.on_reply = checker.on_reply
        stack.enter_context(gateway.simulated_ports(world))
        try:
            loop.run_task(_main(world, checker))
        except NoProgress as error:
            history.violate("progress", str(error))
        except Exception as error:  # noqa: BLE001  (a fault of the simulation itself is shown as a failure too)
            history.violate("simulation", f"{type(error).__name__}: {error}")
        for words in loop.errors:
            history.violate("loop", words)
        counts = dict(history.counts, steps=loop.steps, messages=world.network.messages, seconds=int(loop.now))
        counts["exchanges"] = len(world.amazon.exchanges)
    return Result(plan, history.lines, history.violations, counts)


@lru_cache(1)
def _freeze_modules() -> None:
    """Exempt what was imported from the collections after each run, which take most of a second otherwise."""
    gc.collect()
    gc.freeze()


async def _main(world: World, checker: Checker) -> None:
    cluster, client, history = Cluster(world, SERVICES), Client(world, checker), world.history
    await client.connect_sellers()
    await cluster.start()
    await asyncio.sleep(START_SECONDS)
    at_rest = {name: replica.node.running() for name, replica in cluster.replicas.items() if replica.node}
    history.note("started")
    faults = asyncio.create_task(Faults(cluster, checker).run(world.plan.faults))
    faults.add_done_callback(lambda _: history.note("faults end"))
    recovered = asyncio.create_task(_recover(faults))
    await client.run(world.plan.operations)
    history.note("recovery")
    await recovered
    await _until_released(cluster)
    await _converge(client)
    await _until_idle(cluster, checker)
    checker.check_exchanges()
    checker.check_calls()
    client.seldom.check_end()
    await _check_rest(cluster, at_rest)
    await cluster.stop()
    history.note("stopped")


async def _recover(faults: "asyncio.Task[None]") -> None:
    await faults
    await asyncio.sleep(RECOVERY_SECONDS)


async def _until_released(cluster: Cluster) -> None:
    """Wait until the leases of this moment have ended, for their life at most: some owners are dead, or could not release them."""
    redis, loop = cluster.world.redis, asyncio.get_running_loop()
    held = {key: redis.value(key) for key in redis.living_keys() if key.endswith(LEASE)}
    ends = loop.time() + LEASE_SECONDS
    while any(redis.value(key) == owner for key, owner in held.items()) and loop.time() < ends:
        await asyncio.sleep(0.2)


async def _converge(client: Client) -> None:
    """Check that each replica serves each account again, with its newest credentials; the accounts' checks run together."""
    await asyncio.gather(*(_converge_of(client, account) for account in range(ACCOUNTS)))


async def _converge_of(client: Client, account: int) -> None:
    for replica in range(REPLICAS["token"]):
        await _expect(client, f"token-{replica + 1}", partial(client.get_token, account, replica, 10.0))
    for replica in range(REPLICAS["gateway"]):
        key = f"op-{9000 + account}-{replica}"
        await _expect(
            client, f"gateway-{replica + 1}", partial(client.call, account, replica, gateway.READS[0], key, 10.0)
        )
        if account == 0:
            # An operation of another bucket, since no quota is checked here.
            again = partial(client.call, account, replica, gateway.READS[2], f"op-{9100 + account}-{replica}", 10.0)
            await _expect_now(client, f"gateway-{replica + 1}", again)


async def _expect(client: Client, replica: str, attempt: Callable[[], Awaitable[object]]) -> None:
    """Repeat an attempt until it succeeds; report a violation if it never does."""
    ends = client.checker.now + CONVERGENCE_SECONDS
    while True:
        try:
            await attempt()
        except SellergateError as error:
            if client.checker.now > ends:
                client.history.violate("convergence", f"{replica} still fails: {error.reason} {error.message}"[:300])
                return
            await asyncio.sleep(min(5.0, error.retry_after or 1.0))
        else:
            return


async def _expect_now(client: Client, replica: str, attempt: Callable[[], Awaitable[object]]) -> None:
    """Report a violation if an attempt fails: one call that succeeds ends the pauses after failures.

    Amazon may throttle it: a quota that a fault has overrun is no such pause.
    """
    try:
        await attempt()
    except SellergateError as error:
        if error.reason == Reason.AMAZON_QUOTA_EXCEEDED:
            return
        client.history.violate("convergence", f"{replica} fails again: {error.reason} {error.message}"[:300])


async def _until_idle(cluster: Cluster, checker: Checker) -> None:
    """Wait until no lease and no fetch is left, for IDLE_SECONDS at most after the last request that Amazon did not respond to.

    Fetches outlive their callers until their own deadline, and a gateway's fetch may wait for that of a token. A lease that a fault
    kept from its release expires.
    """
    loop, amazon = asyncio.get_running_loop(), cluster.world.amazon
    began = loop.time()
    ends = dict.fromkeys(SILENCE_SECONDS, began + IDLE_SECONDS)
    await asyncio.sleep(SHORTEST_IDLE_SECONDS)
    while True:
        now = loop.time()
        for host, seconds in SILENCE_SECONDS.items():
            if amazon.silent_requests[host] and now < began + seconds:
                ends[host] = now + IDLE_SECONDS
        ends["spapi"] = max(ends.values())
        latest = {host: max(end, checker.leases_until) for host, end in ends.items()}
        if not any(now < latest[host] and _is_busy(cluster, SENDERS[host]) for host in ends):
            return
        await asyncio.sleep(0.2)


def _is_busy(cluster: Cluster, service: str) -> bool:
    """Return whether a service holds a lease, or fetches a value."""
    nodes = [one.node for name, one in cluster.replicas.items() if name.startswith(service) and one.node]
    return bool(_leases(cluster, service)) or any(FLIGHT in node.running() for node in nodes)


def _leases(cluster: Cluster, service: str = "") -> list[str]:
    """Return the prefixes of the keys of a service's leases ("": of all)."""
    kinds = [key.partition(b":")[0].decode() for key in cluster.world.redis.living_keys() if key.endswith(LEASE)]
    return [kind for kind in kinds if not service or (kind == TOKEN_LEASE) == (service == "token")]


async def _check_rest(cluster: Cluster, at_rest: dict[str, list[str]]) -> None:
    """Check that nothing is left: no lease, and no task but those that ran before the first operation."""
    history = cluster.world.history
    if leases := _leases(cluster):
        history.violate("quiescent", f"leases are left: {leases}")
    for name, background in cluster.world.backgrounds.items():
        problems = {task: problem for task, problem in background.problems().items() if problem}
        if problems:
            history.violate("background", f"{name} still reports {problems}")
    for name, replica in cluster.replicas.items():
        left: Counter[str] = Counter()
        for attempt in range(6):
            found = Counter(replica.node.running() if replica.node else ()) - Counter(at_rest[name])
            found = Counter({task: count for task, count in found.items() if task not in _TRANSIENT})
            left = found if not attempt else left & found
            if not left:
                break
            await asyncio.sleep(0.7)
        if left:
            history.violate("quiescent", f"{name} has tasks left: {dict(left)}")
