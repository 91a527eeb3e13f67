"""The simulation passes on a few seeds, repeats exactly, finds a planted fault, and shrinks what fails."""

from dataclasses import replace

import pytest
from sellergate_common.feed.follower import ChangeFollower

from simulation.history import Violation
from simulation.plan import FEWEST_FAULTS, MOST_FAULTS, OPERATIONS, Fault, Operation, Plan, make_plan
from simulation.run import Result, run_plan
from simulation.shrink import shrink

# A change of credentials that only the list of changes makes known, between requests for tokens.
_REQUESTS = [("token", 0.2, 0), ("token", 0.2, 1), ("authorize", 1.5, 0), ("token", 8.0, 0), ("token", 8.0, 1)]
UNANNOUNCED = Plan(
    seed=1,
    life=60.0,
    operations=tuple(
        Operation(number, kind, at, account=0, replica=replica, deadline=3.0, cancel=0.0, draw=0.9)
        for number, (kind, at, replica) in enumerate(_REQUESTS)
    ),
    faults=(Fault(0, "unannounced", 1.0, 9.0, ""),),
)


def test_a_seed_breaks_no_invariant_and_repeats_exactly() -> None:
    plan = make_plan(1)
    first, second = run_plan(plan), run_plan(plan)
    assert [str(one) for one in first.violations] == []
    assert first.lines == second.lines
    assert first.lines[-1].endswith("stopped")
    assert first.counts["end"] == len(plan.operations)
    assert sum(one.calls for one in plan.operations) >= OPERATIONS
    assert FEWEST_FAULTS <= len(plan.faults) <= MOST_FAULTS
    assert first.counts["exchanges"] > 0


def test_another_seed_has_another_history() -> None:
    result = run_plan(make_plan(2))
    assert [str(one) for one in result.violations] == []
    assert result.lines != run_plan(make_plan(3)).lines


def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_plan(UNANNOUNCED).violations == []
    monkeypatch.setattr(ChangeFollower, "_pass_on", lambda *_: None)
    assert "revision" in {one.invariant for one in run_plan(UNANNOUNCED).violations}


def test_the_shrinker_keeps_what_the_failure_needs() -> None:
    def run(plan: Plan) -> Result:
        fails = {5, 40} <= {one.number for one in plan.operations} and 2 in {one.number for one in plan.faults}
        return Result(plan, [], [Violation("planted", "")] if fails else [])

    smallest = shrink(make_plan(1), run).plan
    assert {one.number for one in smallest.operations} == {5, 40}
    assert {one.number for one in smallest.faults} == {2}


def test_a_plan_that_does_not_fail_is_not_shrunk() -> None:
    plan = replace(make_plan(1), faults=())
    assert shrink(plan, lambda one: Result(one, [], [])).plan == plan
