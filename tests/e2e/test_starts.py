"""Failed starts of a service: one clear line, no traceback, and a non-zero exit code."""

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.suite import Suite

from tests.e2e.forked import run


def start(name: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return run(f"sellergate_{name}", [], environment)


def logged(done: "subprocess.CompletedProcess[str]", event: str) -> dict[str, Any]:
    """Return the line of the log with an event; libraries may write other lines."""
    (line,) = [line for line in done.stderr.splitlines() if f'"event":"{event}"' in line]
    return dict(json.loads(line))


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


async def test_the_certificate_of_another_service_is_named_with_its_setting(suite: Suite) -> None:
    other = suite.files("gateway")
    for name in ("account", "token", "iam", "edge"):
        environment = suite.supervisor.processes[name].environment | {
            "SELLERGATE_TLS_CERT_FILE": str(other.certificate)
        }
        done = start(name, environment)
        assert done.returncode == 2, done.stderr
        (sentence,) = done.stderr.splitlines()
        assert sentence.startswith(
            f"SELLERGATE_TLS_CERT_FILE: is the certificate of gateway, and this process is {name};"
        )


async def test_each_port_in_use_is_named_with_its_setting(suite: Suite) -> None:
    edge = suite.supervisor.processes["edge"].environment | {"SELLERGATE_EDGE_PORT": str(free_ports(1)[0])}
    iam = suite.supervisor.processes["iam"].environment | {"SELLERGATE_IAM_PORT": str(free_ports(1)[0])}
    cases = (
        ("edge", edge, "SELLERGATE_EDGE_PORT"),
        ("edge", edge, "SELLERGATE_HEALTH_PORT"),
        ("iam", iam, "SELLERGATE_HEALTH_PORT"),
        ("iam", iam, "SELLERGATE_METRICS_PORT"),
    )
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        for name, environment, setting in cases:
            done = start(name, {**environment, setting: str(port)})
            assert done.returncode == 1, done.stderr
            line = logged(done, "address_taken")
            assert (line["setting"], line["address"]) == (setting, f"{LOOPBACK}:{port}")
            assert f"set {setting} to a free port" in line["advice"]
            assert "Traceback" not in done.stderr


async def test_an_unreachable_database_is_named_with_its_setting_and_without_its_password(suite: Suite) -> None:
    port = free_ports(1)[0]
    given = {
        "DATABASE_URL": f"postgresql://sellergate:hidden@{LOOPBACK}:{port}/sellergate",
        "SELLERGATE_DATABASE_WAIT_SECONDS": "0",
        "SELLERGATE_ACCOUNT_PORT": str(free_ports(1)[0]),
    }
    done = start("account", suite.supervisor.processes["account"].environment | given)
    assert done.returncode == 1, done.stderr
    line = logged(done, "database_is_down")
    assert "DATABASE_URL" in line["advice"]
    assert f"port {port}" in line["cause"]
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr
