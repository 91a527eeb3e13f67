"""The simulation repeats exactly, passes on a few seeds, and shrinks what fails."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from simulation.history import Violation
from simulation.plan import MOST_FAULTS, OPERATIONS, Plan, make_plan
from simulation.run import Result, run_plan
from simulation.shrink import shrink
from tests.paths import ROOT

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_breaks_no_invariant(seed: int) -> None:
    result = run_plan(make_plan(seed))
    assert [str(one) for one in result.violations] == []
    assert result.counts["end"] == OPERATIONS
    assert 5 <= result.counts["fault"] <= MOST_FAULTS
    assert result.counts["exchanges"] > 0
    assert result.lines[-1].endswith("stopped")


def test_two_runs_of_a_seed_have_the_same_history() -> None:
    command = [sys.executable, "-m", "simulation", "--seed", "4"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == run_plan(make_plan(4)).lines
    assert done.returncode == 0


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
