"""Failed starts of a service: one clear line, no traceback, and a non-zero exit code."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from sellergate_devstack.processes.ports import LOOPBACK
from sellergate_devstack.suite import Suite


def start(name: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", f"sellergate_{name}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_service_without_settings_names_all_that_it_needs() -> None:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    needed = {
        "account": {"SELLERGATE_SEALING_KEYS", "SELLERGATE_INDEX_KEY", "SELLERGATE_AUDIT_KEY", "REDIS_URL"},
        "token": {"SELLERGATE_CACHE_KEYS_TOKEN", "REDIS_URL"},
        "iam": {"SELLERGATE_CACHE_KEYS_CREDENTIALS", "REDIS_URL"},
        "gateway": {"SELLERGATE_CACHE_KEYS_TOKEN", "SELLERGATE_CACHE_KEYS_CREDENTIALS", "REDIS_URL"},
        "edge": {"SELLERGATE_JWT_AUDIENCE", "SELLERGATE_JWT_ISSUER", "SELLERGATE_DROPIN_KEYS", "REDIS_URL"},
    }
    tls = {f"SELLERGATE_TLS_{kind}_FILE" for kind in ("CA", "CERT", "KEY")}
    for name, variables in needed.items():
        done = start(name, bare)
        assert done.returncode == 2, done.stderr
        assert "; `sellergate keys new` makes one" in done.stderr
        assert {line.partition(":")[0] for line in done.stderr.splitlines()} == variables | tls


async def test_a_port_in_use_is_named(suite: Suite, tmp_path: Path) -> None:
    process = suite.supervisor.processes["iam"]
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        done = start("iam", {**process.environment, "SELLERGATE_IAM_PORT": str(port)})
    assert done.returncode == 1, done.stderr
    assert f"{LOOPBACK}:{port}" in done.stderr
    assert "SELLERGATE_IAM_PORT" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_missing_certificate_is_named(suite: Suite) -> None:
    process = suite.supervisor.processes["token"]
    done = start("token", {**process.environment, "SELLERGATE_TLS_CERT_FILE": "/nowhere.pem"})
    assert done.returncode == 2
    assert done.stderr.startswith("SELLERGATE_TLS_CERT_FILE:")
