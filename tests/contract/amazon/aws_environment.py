"""Own AWS credentials for tests: an environment without settings of this machine, and no request beyond loopback."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sellergate_iam.sts import BotoSts

REGION = "eu-west-1"


def bare_aws(monkeypatch: pytest.MonkeyPatch, sts_url: str) -> None:
    """Remove this machine's AWS settings, so that boto3's chain finds only those of the test."""
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    given = {
        "ENDPOINT_URL_STS": sts_url,
        "EC2_METADATA_DISABLED": "true",
        "SHARED_CREDENTIALS_FILE": os.devnull,
        "CONFIG_FILE": os.devnull,
    }
    for name, value in given.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def own_keys(monkeypatch: pytest.MonkeyPatch, key_id: str, secret: str) -> None:
    """Give this process keys in its environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


@asynccontextmanager
async def boto_sts(wall: Callable[[], float] = time.time) -> AsyncIterator[BotoSts]:
    """The adapter under test, with the longest pauses that jitter allows cut to a tenth."""
    sts = BotoSts(REGION, lambda: 0.1, wall)
    try:
        yield sts
    finally:
        sts.close()
