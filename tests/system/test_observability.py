"""Tests of alerts by promtool, and of every panel of the dashboard on a real Prometheus after a load."""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sellergate_devstack.processes.ports import free_ports, free_row
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.sellers import Seller
from tests.paths import ROOT
from tests.system.conftest import Need

FOLDER = ROOT / "deploy" / "observability"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
PANELS = json.loads((FOLDER / "dashboard.json").read_text())["panels"]


def test_every_alert_fires_when_it_should_and_is_silent_when_not(need: Need) -> None:
    need.program("promtool")
    for words in (
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        done = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_tests_and_its_section() -> None:
    tests = {one["name"] for one in yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]}
    sections = set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE))
    names = {rule["alert"] for rule in RULES}
    assert tests == {f"{name} {how}" for name in names for how in ("fires", "is silent")}
    assert sections == names


async def loaded(suite: Suite) -> None:
    """Run a load with data for every panel."""
    async with (
        httpx.AsyncClient(base_url=suite.edge, timeout=30, trust_env=False) as client,
        httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as control,
    ):
        rest, seller = Rest(suite, client), await Seller.seeded(control)
        account_id = await rest.connect(seller)
        for _ in range(30):
            await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api/sellers/v1/marketplaceParticipations")
            await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api/reports/2021-06-30/reports")
            await asyncio.sleep(0.1)


@pytest.mark.timeout(180)
async def test_no_panel_is_without_data_after_a_load(need: Need, tmp_path: Path) -> None:
    need.program("prometheus")
    base, (port,) = free_row(5)[0], free_ports(1)
    settings = DevstackSettings(state_dir=tmp_path / "s", simulator="on", metrics_base_port=base, **ephemeral_ports())
    targets = [f"127.0.0.1:{base + number}" for number in range(5)]
    scrape = {"job_name": "sellergate", "static_configs": [{"targets": targets}]}
    configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    async with (
        running_suite(settings, lambda _: None) as suite,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as prometheus,
    ):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                await asyncio.sleep(3)
                await loaded(suite)
                await asyncio.sleep(4)
                empty = []
                for panel in PANELS:
                    query = panel["targets"][0]["expr"]
                    response = (await prometheus.get("/api/v1/query", params={"query": query})).json()
                    if not response["data"]["result"]:
                        empty.append(panel["title"])
                up = (await prometheus.get("/api/v1/query", params={"query": "sum(up)"})).json()
            finally:
                process.terminate()
    assert empty == []
    assert up["data"]["result"][0]["value"][1] == "5"
