"""A forked program does what a process of its own does."""

import os
import subprocess
import sys

from tests.e2e.forked import run

BARE = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def test_a_forked_program_ends_and_prints_as_a_process_does() -> None:
    arguments = ["accounts", "list", "--user", "ü", "--nonsense"]
    command = [sys.executable, "-m", "sellergate_cli", *arguments]
    process = subprocess.run(command, env=BARE, capture_output=True, text=True, input="", check=False)
    forked = run("sellergate_cli", arguments, BARE)
    assert process.returncode == 2
    assert (forked.args, forked.returncode, forked.stdout, forked.stderr) == (
        process.args,
        process.returncode,
        process.stdout,
        process.stderr,
    )


def test_each_fork_has_its_own_environment() -> None:
    named = run("sellergate_iam", [], {**BARE, "REDIS_URL": "nonsense"})
    unnamed = run("sellergate_iam", [], BARE)
    assert (named.returncode, unnamed.returncode) == (2, 2)
    assert "REDIS_URL: must be set" not in named.stderr
    assert "REDIS_URL: must be set" in unnamed.stderr
