"""The rules of `make check` find a module that breaks them, even one that no rule names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

GATEWAY = "services/gateway/sellergate_gateway"
CODE = ("libs", "services", "simulator")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the product's code for forbidden changes."""
    for folder in CODE:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".plugins"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(copy: Path, tool: str, *arguments: str) -> str:
    """Run a tool, which must fail, on the copy; return its output."""
    paths = [str(path.parent) for path in copy.glob("**/sellergate*/") if (path / "__init__.py").is_file()]
    ran = subprocess.run(
        [Path(sys.executable).with_name(tool), *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return " ".join(ran.stdout.split())


def test_imports_that_cross_a_boundary_are_refused(copy: Path) -> None:
    spoilt = {
        f"{GATEWAY}/quota/unnamed.py": "from redis.asyncio import Redis\n",
        f"{GATEWAY}/calls/unnamed.py": "import httpx\n",
        f"{GATEWAY}/documents/unnamed.py": "from sellergate_gateway.quota.redis import RedisBuckets\n",
        f"{GATEWAY}/spapi/unnamed.py": "from sellergate_gateway.calls.retries import RetryBudgets\n",
        "services/iam/sellergate_iam/unnamed.py": "import sqlalchemy\n",
    }
    for name, text in spoilt.items():
        (copy / name).write_text(text)
    printed = run(copy, "lint-imports", "--no-cache")
    for contract in (
        "Layers of the gateway",
        "Domain modules know no transport",
        "Only composition roots import adapters",
        "No service has httpx",
        "Only account has a database",
    ):
        assert contract in printed.partition("Broken contracts")[2], contract
    for chain in (
        "sellergate_gateway.quota.unnamed -> redis",
        "sellergate_gateway.calls.unnamed -> httpx",
        "sellergate_iam.unnamed -> sqlalchemy",
    ):
        assert chain in printed, chain


@pytest.mark.parametrize(
    "line",
    [
        "import time\nNOW = time.monotonic()\n",
        "import asyncio\nSLEEP = asyncio.sleep\n",
        "from uuid import uuid4\nNEW = uuid4().hex\n",
        "import random\nJITTER = random.random()\n",
        "import secrets\nNONCE = secrets.token_hex()\n",
        "from datetime import UTC, datetime\nNOW = datetime.now(UTC)\n",
    ],
)
def test_domain_code_that_reads_a_clock_or_draws_is_refused(copy: Path, line: str) -> None:
    module = copy / GATEWAY / "quota" / "unnamed.py"
    module.write_text(f'"""A module."""\n\n{line}')
    assert "TID251" in run(copy, "ruff", "check", "--no-cache", "--output-format", "concise", str(module))
