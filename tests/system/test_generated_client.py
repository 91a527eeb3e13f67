"""The OpenAPI document for programs: a TypeScript client made of it compiles strictly and works, and a linter finds nothing."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.paths import ROOT
from tests.system.conftest import Need

GENERATOR = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@20")
LINTER = ("@stoplight/spectral-cli@6.16.3",)
STRICT = {
    "compilerOptions": {
        "strict": True,
        "exactOptionalPropertyTypes": False,
        "noUncheckedIndexedAccess": True,
        "module": "nodenext",
        "target": "es2022",
        "types": ["node"],
        "skipLibCheck": True,
        "noEmitOnError": True,
    },
    "include": ["program.ts", "edge.d.ts"],
}


def installed(need: Need, folder: Path, packages: tuple[str, ...]) -> None:
    """Install npm's packages into a folder."""
    need.program("node")
    need.program("npm")
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    need(f"npm's packages {', '.join(packages)}", done.returncode == 0)


def run(folder: Path, *command: str) -> str:
    """Run a program of the folder's packages, and return its output."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def described(rest: Rest, folder: Path) -> None:
    """Store the OpenAPI document in a folder."""
    async with httpx.AsyncClient(base_url=rest.suite.edge, trust_env=False, timeout=60) as client:
        (folder / "edge.json").write_text((await client.get("/openapi.json")).text)


@pytest.mark.timeout(900)
async def test_a_generated_typescript_client_compiles_strictly_and_works(
    need: Need, rest: Rest, seller: Seller, fast: None, tmp_path: Path
) -> None:
    installed(need, tmp_path, GENERATOR)
    account = seller.connection(labels={"tier": "gold", "team": "a"})
    account_id = (await rest.request("POST", "/api/amazon/accounts", json=account)).json()["id"]
    await described(rest, tmp_path)
    (tmp_path / "package.json").write_text(json.dumps({"type": "module", "private": True}))
    (tmp_path / "tsconfig.json").write_text(json.dumps(STRICT))
    shutil.copy(ROOT / "tests" / "system" / "generated_client.ts", tmp_path / "program.ts")
    programs = tmp_path / "node_modules" / ".bin"
    run(tmp_path, str(programs / "openapi-typescript"), "edge.json", "--output", "edge.d.ts")
    run(tmp_path, str(programs / "tsc"), "--project", "tsconfig.json")
    words = rest.suite.edge, rest.suite.jwt("u1"), account_id, seller.seller_id
    found = json.loads(run(tmp_path, "node", "program.js", *words))
    assert found["ids"] == [account_id]
    assert found["orders"] > 0
    assert found["document"] == 201
    assert found["labels"] == {"tier": "silver"}
    assert found["invalid"] == {"reason": "INVALID_REQUEST", "fields": ["marketplaceIds[0]"]}
    assert found["missing"] == {"reason": "ACCOUNT_NOT_FOUND", "fields": []}
    assert found["outcome"] == "OK"


@pytest.mark.timeout(900)
async def test_a_linter_of_openapi_finds_nothing(need: Need, rest: Rest, tmp_path: Path) -> None:
    installed(need, tmp_path, LINTER)
    await described(rest, tmp_path)
    (tmp_path / "ruleset.yaml").write_text("extends: spectral:oas\n")
    spectral = str(tmp_path / "node_modules" / ".bin" / "spectral")
    run(tmp_path, spectral, "lint", "edge.json", "--ruleset", "ruleset.yaml", "--fail-severity", "hint")
