"""Leases that end while they are renewed, many times, on this Python and on the newest installed one."""

import asyncio
import secrets
import shutil
import subprocess

import pytest
from pydantic import SecretStr
from sellergate_common.redis_client import open_redis

from tests.integration.lease_ends import end_leases
from tests.paths import ROOT
from tests.system.conftest import Need

COUNT = 20_000
PROGRAM = "tests.integration.lease_ends"


@pytest.mark.timeout(900)
async def test_twenty_thousand_leases_end(redis_url: str) -> None:
    async with asyncio.timeout(600), open_redis(SecretStr(redis_url)) as redis:
        await end_leases(redis, f"test{secrets.token_hex(4)}:", COUNT)


@pytest.mark.timeout(900)
def test_they_end_on_a_newer_python_too(redis_url: str, need: Need) -> None:
    python = shutil.which("python3.13") or ""
    check = [python, "-c", f"import {PROGRAM}"]
    ready = python and subprocess.run(check, cwd=ROOT, capture_output=True, check=False).returncode == 0
    need("python3.13 with this project installed", bool(ready))
    run = [python, "-m", PROGRAM, redis_url, str(COUNT)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
