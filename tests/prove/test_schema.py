"""schemathesis over the OpenAPI document: thousands of requests, none of them a bug of ours."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.sellers import Seller

CHECKS = (
    "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance,"
    "response_headers_conformance"
)
LEAST_REQUESTS = 2000
# A request of its own decides for each that only a good token opens it.
GUARDED = "ignored_auth"


@pytest.fixture(scope="module")
async def rest(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rest]:
    folder: Path = tmp_path_factory.mktemp("schema")
    settings = DevstackSettings(state_dir=folder, simulator="on", **ephemeral_ports())
    async with (
        running_suite(settings, lambda _: None) as suite,
        httpx.AsyncClient(base_url=suite.edge, timeout=40, trust_env=False) as client,
        httpx.AsyncClient(base_url=suite.simulator or "", trust_env=False) as control,
    ):
        (await control.post("/control/rates", json={"scale": 1000, "burst_scale": 10})).raise_for_status()
        yield Rest(suite, client)


def explored(suite: Suite, folder: Path, token: str, checks: str, account_id: str = "", examples: int = 100) -> str:
    """Run schemathesis; return what it tells."""
    named = f'[parameters]\n"path.account_id" = "{account_id}"\n"query.amazonAccountId" = "{account_id}"\n'
    configuration = folder / "schemathesis.toml"
    configuration.write_text(named if account_id else "")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)]
    command += ["run", f"{suite.edge}/openapi.json", "--checks", checks, "--max-examples", str(examples)]
    command += ["--phases", "examples,coverage,fuzzing", "-H", f"Authorization: Bearer {token}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(450)
@pytest.mark.parametrize("own", [True, False])
async def test_thousands_of_requests_with_a_good_token(rest: Rest, tmp_path: Path, own: bool) -> None:
    async with httpx.AsyncClient(base_url=rest.suite.simulator or "", trust_env=False) as control:
        account_id = await rest.connect(await Seller.seeded(control), "u1")
    token = rest.suite.jwt("u1" if own else "another")
    told = explored(rest.suite, tmp_path, token, CHECKS, account_id)
    (generated,) = re.findall(r"(\d+) generated", told)
    assert int(generated) >= LEAST_REQUESTS


@pytest.mark.timeout(450)
async def test_and_with_a_bad_one(rest: Rest, tmp_path: Path) -> None:
    explored(rest.suite, tmp_path, rest.suite.jwt("u1")[:-4] + "AAAA", CHECKS, examples=30)
    explored(rest.suite, tmp_path, rest.suite.jwt("u1"), GUARDED, examples=5)
