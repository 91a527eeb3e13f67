"""The shrinker of the simulation keeps what a failure needs."""

from dataclasses import replace

from simulation.history import Violation
from simulation.plan import Plan, make_plan
from simulation.run import Result
from simulation.shrink import shrink


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
