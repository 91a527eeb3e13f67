"""The shrinker: it leaves out operations and faults of a failing plan while the same invariant still breaks."""

from collections.abc import Callable

from simulation.plan import Plan
from simulation.run import Result, run_plan

# The most runs of one shrinking.
MOST_RUNS = 300


def shrink(plan: Plan, run: Callable[[Plan], Result] = run_plan, most_runs: int = MOST_RUNS) -> Result:
    """Return the result of the smallest plan found that breaks the first invariant of `plan`.

    Delta debugging: parts of half, a quarter, and so on are left out, first of the faults and then of the operations.
    """
    smallest = run(plan)
    if not smallest.failed:
        return smallest
    invariant, runs = smallest.violations[0].invariant, 1
    for field in ("faults", "operations", "faults"):
        size = max(1, len(getattr(smallest.plan, field)) // 2)
        while runs < most_runs:
            reduced = False
            numbers = [one.number for one in getattr(smallest.plan, field)]
            for start in range(0, len(numbers), size):
                left_out = set(numbers[start : start + size])
                attempt = _without(smallest.plan, field, left_out)
                if attempt is None:
                    continue
                found = run(attempt)
                runs += 1
                if any(one.invariant == invariant for one in found.violations):
                    smallest, reduced = found, True
                if runs >= most_runs:
                    return smallest
            if size == 1 and not reduced:
                break
            size = max(1, size // 2)
    return smallest


def _without(plan: Plan, field: str, numbers: set[int]) -> Plan | None:
    """Return the plan without some operations or faults; None if it has none of them any more."""
    operations = {one.number for one in plan.operations}
    faults = {one.number for one in plan.faults}
    chosen = faults if field == "faults" else operations
    if not chosen & numbers:
        return None
    chosen -= numbers
    return plan.only(operations, faults)
