"""Runs of many seeds in several processes, and what they print."""

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulation.plan import make_plan
from simulation.run import run_plan

# Lines of the history that a failure prints before its first violation.
CONTEXT_LINES = 40
# The seeds that one process runs before it exits.
BATCH_SEEDS = 32


@dataclass(slots=True)
class Outcome:
    """The outcome of one seed."""

    seed: int
    counts: dict[str, int]
    violations: list[str]
    operations: int
    faults: int


@dataclass(slots=True)
class Totals:
    """The totals of all seeds."""

    seeds: int = 0
    operations: int = 0
    faults: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a seed."""
        self.seeds += 1
        self.operations += outcome.operations
        self.faults += outcome.faults
        self.counts.update(outcome.counts)
        if outcome.violations:
            self.failures.append(outcome)


def run_seed(seed: int, *, keeps: bool = False) -> Outcome:
    """Run one seed."""
    plan = make_plan(seed)
    result = run_plan(plan, keeps=keeps)
    words = [str(one) for one in result.violations]
    return Outcome(seed, result.counts, words, sum(one.calls for one in plan.operations), len(plan.faults))


def outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of seeds as they end, from several processes.

    Each process is a copy of this one after a first run, so that no run pays for imports and caches. It runs a batch of seeds, in
    which it keeps all objects, and exits.
    """
    yield run_seed(seeds[0])
    gc.collect()
    gc.freeze()
    batches = [seeds[start : start + BATCH_SEEDS] for start in range(1, len(seeds), BATCH_SEEDS)]
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        for batch in pool.imap_unordered(_run_batch, batches):
            yield from batch


def _run_batch(seeds: range) -> list[Outcome]:
    """Run seeds until one fails."""
    done = []
    for seed in seeds:
        done.append(run_seed(seed, keeps=True))
        if done[-1].violations:
            break
    return done


def run_many(seeds: range, jobs: int, most_failures: int) -> Totals:
    """Run seeds, stop after some failures, and print the totals."""
    totals, began = Totals(), time.monotonic()
    for outcome in outcomes(seeds, jobs):
        totals.add(outcome)
        if outcome.violations:
            print(f"seed {outcome.seed}: {outcome.violations[0][:200]}", flush=True)
            if len(totals.failures) >= most_failures:
                break
    seconds = time.monotonic() - began
    count = max(1, totals.seeds)
    means = {
        name: totals.counts[name] / count for name in ("seconds", "steps", "messages", "exchanges", "spapi", "log")
    }
    print(
        f"{totals.seeds} seeds in {seconds:.0f} s on {jobs} processes, {len(totals.failures)} failed;"
        f" a seed has {totals.operations / count:.0f} operations, {totals.faults / count:.1f} faults, "
        + ", ".join(f"{value:.0f} {name}" for name, value in means.items())
    )
    return totals


def show(seed: int) -> int:
    """Run one seed and print its whole history; return 1 if it failed."""
    result = run_plan(make_plan(seed))
    print(*result.lines, sep="\n")
    for violation in result.violations:
        print(f"VIOLATION {violation}")
    return int(result.failed)
