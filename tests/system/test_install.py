"""`make` on machines that lack something: one sentence says what to do, and no broken environment stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.system.conftest import Need

UNREACHABLE = "http://127.0.0.1:9/simple"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what `make` reads before it installs."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name in ("protos", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def make(tree: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", *arguments],
        cwd=tree,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def sentence(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the only line on standard error besides make's own."""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode == 2
    return line


def without_index() -> dict[str, str]:
    return {"PIP_INDEX_URL": UNREACHABLE, "PIP_EXTRA_INDEX_URL": "", "PIP_NO_INDEX": "", "PIP_RETRIES": "0"}


def test_a_python_that_is_too_old_is_named_and_leaves_nothing(tree: Path, need: Need) -> None:
    old = shutil.which("python3.10")
    works = old and subprocess.run([old, "--version"], capture_output=True, check=False).returncode == 0
    need("Python 3.10", bool(works))
    said = sentence(make(tree, "run", f"PYTHON={old}"))
    assert said.startswith(f"Sellergate needs Python 3.11 or newer, and {old} is Python 3.10.")
    assert said.endswith("Set PYTHON, as in: make run PYTHON=python3.12")
    assert not (tree / ".venv").exists()


def test_a_python_that_is_not_there_is_named(tree: Path) -> None:
    assert "python9 was not found. Set PYTHON" in sentence(make(tree, "run", "PYTHON=python9"))
    assert not (tree / ".venv").exists()


def test_an_index_that_is_not_reached_is_one_sentence_and_a_broken_environment_is_made_again(tree: Path) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    said = sentence(make(tree, "run", f"PYTHON={sys.executable}", **without_index()))
    assert said.startswith(
        "The package index was not reached or lacks a package, and nothing was installed. Check the network"
    )
    made = subprocess.run(
        [tree / ".venv" / "bin" / "python", "-m", "pip", "--version"], capture_output=True, check=False
    )
    assert made.returncode == 0
    assert UNREACHABLE in (tree / ".venv.log").read_text()


def test_a_full_disk_is_one_sentence(tree: Path, need: Need) -> None:
    need.root()
    (tree / "small").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", tree / "small"], capture_output=True, check=False
    )
    need("the right to mount a small disk", mounted.returncode == 0)
    try:
        said = sentence(make(tree, "run", f"PYTHON={sys.executable}", "VENV=small/venv"))
        assert said.startswith("The disk is full: ")
        assert "Free some space" in said
        state = {"SELLERGATE_STATE_DIR": str(tree / "small" / "state")}
        filled = subprocess.run(
            ["dd", "if=/dev/zero", f"of={tree / 'small' / 'rest'}"], capture_output=True, check=False
        )
        assert b"No space left" in filled.stderr
        done = subprocess.run(
            [sys.executable, "-m", "sellergate_devstack"],
            cwd=tree,
            env={**os.environ, **state},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert "The disk is full: free some space, or set SELLERGATE_STATE_DIR to another folder." in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
    finally:
        subprocess.run(["umount", tree / "small"], check=True)
