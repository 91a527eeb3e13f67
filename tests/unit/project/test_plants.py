"""Planted faults: each patch applies to the tree, so that a change of the code does not make a check of the checks useless."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

PLANTS = sorted(
    patch for part in ("chaos", "leaks", "simulation") for patch in (ROOT / part / "plants").glob("*.patch")
)


def test_each_part_has_plants() -> None:
    assert {patch.parts[-3] for patch in PLANTS} == {"chaos", "leaks", "simulation"}
    assert len(PLANTS) >= 25


@pytest.mark.skipif(shutil.which("git") is None, reason="NOT RUN: needs git")
def test_each_plant_applies_and_says_what_it_breaks() -> None:
    assert [patch.name for patch in PLANTS if problem_of(patch)] == []


def problem_of(patch: Path) -> str:
    sentence = patch.read_text().partition("\n")[0]
    if not sentence.endswith("."):
        return "its first line is no sentence"
    applied = subprocess.run(
        ["git", "apply", "--check", str(patch)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return applied.stderr
