"""The metrics port of a running account service: days left of a seller's authorization and of its application's secret."""

import asyncio
import sys
from pathlib import Path

import httpx
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def test_days_left_are_on_the_metrics_port(rest: Rest, seller: Seller, tmp_path: Path) -> None:
    await rest.connect(seller)
    suite = rest.suite
    port, metrics_port = free_ports(2)
    environment = {
        **suite.supervisor.processes["account"].environment,
        "SELLERGATE_ACCOUNT_PORT": str(port),
        "SELLERGATE_METRICS_PORT": str(metrics_port),
    }
    healthy = grpc_serves(f"{LOOPBACK}:{port}", "account", suite.identity("operator"))
    supervisor = Supervisor(lambda _: None)
    process = Process(
        "account", [sys.executable, "-m", "sellergate_account"], environment, tmp_path / "account.log", healthy
    )
    try:
        await supervisor.start(process)
        lines = await scraped(metrics_port)
    finally:
        await supervisor.stop()
    assert any(line.startswith('sellergate_authorizations_ending{within_days="90"}') for line in lines)
    assert any(line.startswith('sellergate_client_secrets_ending{within_days="7"}') for line in lines)
    assert any(line.startswith("sellergate_client_secrets_end_unknown") for line in lines)
    for secret in (seller.client_id, seller.seller_id, *seller.secrets):
        assert not any(secret in line for line in lines)


async def scraped(port: int) -> list[str]:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(50):
            text = (await client.get(f"http://{LOOPBACK}:{port}/metrics")).text
            if "sellergate_expiries_report_time_seconds" in text:
                return text.splitlines()
            await asyncio.sleep(0.1)
    raise AssertionError("no report of ends")
