"""Many seeds of the simulation, and the same history in two processes. The slice in `make test` has three seeds."""

import os
import subprocess
import sys

from simulation.many import run_seed
from tests.paths import ROOT

SEEDS = range(1, 101)


def run(*options: str, hash_seed: str = "0") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "simulation", *options]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_two_processes_write_the_same_history() -> None:
    first, second = run("--seed", "4"), run("--seed", "4", hash_seed="1")
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout


def test_no_seed_breaks_an_invariant() -> None:
    failures = {seed: found for seed in SEEDS if (found := run_seed(seed).violations)}
    assert failures == {}
