"""The example of an internal service, run as its own process with the settings that the local run writes."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sellergate_devstack.report import client_environment

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.paths import ROOT

EXAMPLE = ROOT / "examples" / "service.py"


def settings(rest: Rest, account_id: str) -> dict[str, str]:
    """Return what client.env holds."""
    lines = client_environment(rest.suite, account_id).splitlines()
    return dict(shlex.split(line)[0].split("=", 1) for line in lines)


def run(environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(EXAMPLE)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False)


async def test_the_service_in_python_prints_orders(rest: Rest, seller: Seller, fast: None, tmp_path: Path) -> None:
    environment = settings(rest, await rest.connect(seller))
    done = run(environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()
    assert all(len(line.split()) == 2 for line in done.stdout.splitlines())


async def test_an_unknown_account_is_one_sentence_with_its_reason(rest: Rest, tmp_path: Path) -> None:
    done = run(settings(rest, "01a209db-1d77-7db0-8f3f-d79cea19c35d"), tmp_path)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.endswith("(NOT_FOUND)") or "NOT_FOUND" in sentence


@pytest.mark.parametrize("page", ["service"])
def test_the_quickstart_shows_the_example(page: str) -> None:
    text = (ROOT / "docs" / "quickstarts" / f"{page}.md").read_text()
    shown = text.partition("```python\n")[2].partition("```")[0]
    assert shown
    example = [line.strip() for line in EXAMPLE.read_text().splitlines()]
    assert all(line.strip() in example for line in shown.splitlines())
