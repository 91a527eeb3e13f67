"""schemathesis over the OpenAPI document: thousands of requests, none of which finds a bug."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

CHECKS = (
    "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance,"
    "response_headers_conformance"
)
LEAST_REQUESTS = 2000
# A separate request checks for each route that it needs a valid token.
GUARDED = "ignored_auth"


def explored(suite: Suite, folder: Path, token: str, checks: str, account_id: str = "", examples: int = 100) -> str:
    """Run schemathesis; return its output."""
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
async def test_thousands_of_requests_with_a_good_token(
    rest: Rest, seller: Seller, fast: None, tmp_path: Path, own: bool
) -> None:
    account_id = await rest.connect(seller, "u1")
    token = rest.suite.jwt("u1" if own else "another")
    output = explored(rest.suite, tmp_path, token, CHECKS, account_id)
    (generated,) = re.findall(r"(\d+) generated", output)
    assert int(generated) >= LEAST_REQUESTS


@pytest.mark.timeout(450)
async def test_and_with_a_bad_one(rest: Rest, tmp_path: Path) -> None:
    explored(rest.suite, tmp_path, rest.suite.jwt("u1")[:-4] + "AAAA", CHECKS, examples=30)
    explored(rest.suite, tmp_path, rest.suite.jwt("u1"), GUARDED, examples=5)
