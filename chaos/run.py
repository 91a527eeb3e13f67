"""A run: a world for each kind of Redis, and its scenarios in their order."""

import random
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from chaos.faults import TOPOLOGIES, Scenario, scenarios, singles
from chaos.load import loaded, open_quotas
from chaos.scenario import Result, Scenarios
from chaos.sellers import connect
from chaos.world import running

SELLERS = 12
# Broken invariants after which the next scenario gets a new world.
_LASTING = ("convergence", "quiescent", "run")
# The next scenarios get a new world, too: a user may send 10,000 requests with an idempotency key in a day, which take some 200.
MOST_IN_ONE_WORLD = 100


def choose(names: Iterable[str], count: int, seed: int) -> list[Scenario]:
    """Return the scenarios with these names or words in their names; without words all, or `count` single faults by a seed.

    Raises ValueError for words that no scenario has.
    """
    words = list(names)
    if words:
        found = [one for one in scenarios() if one.name in words]
        found = found or [one for one in scenarios() if any(word in one.name for word in words)]
        if not found:
            raise ValueError(f"no scenario has {' or '.join(words)} in its name; `make chaos LIST=1` lists them")
        return found
    return random.Random(seed).sample(singles(), count) if count else scenarios()


async def run(chosen: list[Scenario], seed: int, report: Callable[[Result], None]) -> list[Result]:
    """Run the scenarios, report each as it ends, and return all results."""
    results = list[Result]()
    for topology in TOPOLOGIES:
        left = [one for one in chosen if one.topology == topology]
        while left:
            left = await _in_one_world(topology, left, seed, results, report)
    return results


async def _in_one_world(
    topology: str, left: list[Scenario], seed: int, results: list[Result], report: Callable[[Result], None]
) -> list[Scenario]:
    """Run scenarios until one leaves its world broken, or there were many; return those that are left."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sellergate-chaos-")))
        world = await stack.enter_async_context(running(folder, topology))
        await open_quotas(world)
        accounts = await connect(world, SELLERS)
        load = await stack.enter_async_context(loaded(world, accounts, seed))
        runner = Scenarios(load)
        for number, scenario in enumerate(left[:MOST_IN_ONE_WORLD], start=1):
            try:
                results.append(await runner.run(scenario))
            except Exception as error:  # noqa: BLE001  (whatever it is, the run of all others goes on in a new world)
                results.append(Result.broken(scenario.name, f"run: {type(error).__name__} {error}"))
            report(results[-1])
            if any(words.startswith(_LASTING) for words in results[-1].violations):
                return left[number:]
    return left[MOST_IN_ONE_WORLD:]
