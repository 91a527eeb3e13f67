"""docker-compose.yml on a Docker daemon: it comes up healthy, does the main job, and leaves nothing behind."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.paths import ROOT
from tests.system.conftest import Need
from tests.unit.project.test_docs import fences

IMAGES = ("python:3.13-slim", "redis:8-alpine", "postgres:17-alpine")
LARGEST_MEGABYTES = 150
# What an operator types, by the page.
(UP, LOGS) = next(text for _, text, mark in fences(ROOT / "docs" / "install.md") if "test_compose" in mark).splitlines()
SERVICES = {"postgres", "redis", "simulator", "account", "token", "iam", "gateway", "edge", "walk"}


def compose(*words: str, seconds: float = 60, check: bool = True) -> str:
    # Builds use the host's network, because a package index may be reachable only with this machine's configuration.
    environment = {**os.environ, "BUILD_NETWORK": "host"}
    done = subprocess.run(
        ["docker", "compose", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def up() -> Iterator[None]:
    compose("build", seconds=900)
    try:
        compose(*shlex.split(UP)[2:], seconds=240)
        yield
    finally:
        compose("down", "-v", seconds=120, check=False)
        left = subprocess.run(
            ["docker", "ps", "-aq", "--filter", "label=com.docker.compose.project=sellergate"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        volumes = subprocess.run(
            ["docker", "volume", "ls", "-q", "--filter", "label=com.docker.compose.project=sellergate"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert left + volumes == ""


@pytest.fixture
def running(need: Need, request: pytest.FixtureRequest) -> None:
    for image in IMAGES:
        need.image(image)
    request.getfixturevalue("up")


@pytest.mark.timeout(1300)
async def test_it_comes_up_healthy_and_does_the_main_job(running: None) -> None:
    states = dict(
        re.findall(r"^(\S+) (.+)$", compose("ps", "-a", "--format", "{{.Service}} {{.Status}}"), re.MULTILINE)
    )
    assert {name for name, state in states.items() if "(healthy)" in state} == SERVICES
    assert all("Exited (0)" in states[name] for name in ("init", "migrate"))
    assert "orders listed" in compose(*shlex.split(LOGS)[2:]), "the operator's first result"
    logs = compose("logs", "--no-log-prefix", "walk")
    # The commands that it shows to operators.
    token, account_id = (re.search(rf"  {name}=(\S+)", logs) for name in ("TOKEN", "ID"))
    assert token
    assert account_id
    async with httpx.AsyncClient(base_url="http://localhost:3001", trust_env=False, timeout=30) as client:
        headers = {"Authorization": f"Bearer {token[1]}"}
        account, marketplace = {"amazonAccountId": account_id[1]}, {"marketplaceId": "ATVPDKIKX0DER"}
        for name, query in (("status", account), ("orders", account | marketplace)):
            response = await client.get(f"/api/amazon/test/{name}", params=query, headers=headers)
            assert response.status_code == 200, response.text
        assert response.json()["orders"]
        for path in ("reports/2021-06-30/reports", "sellers/v1/marketplaceParticipations"):
            url = f"/api/amazon/accounts/{account_id[1]}/sp-api/{path}"
            assert (await client.get(url, headers=headers)).status_code in (200, 400)


@pytest.mark.parametrize("name", ["account", "token", "iam", "gateway", "edge", "simulator"])
def test_no_container_is_root_can_write_or_compile(running: None, name: str) -> None:
    assert compose("exec", "-T", name, "id", "-u").strip() == "10001"
    assert (
        "Read-only"
        in subprocess.run(
            ["docker", "compose", "exec", "-T", name, "touch", "/opt/x"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    )
    assert compose("exec", "-T", name, "sh", "-c", "command -v gcc cc pip3.13 || true") in (
        "",
        "/usr/local/bin/pip3.13\n",
    )
    variables = compose("exec", "-T", name, "env")
    assert "redis://" not in variables
    assert not re.search(r"PASSWORD|SECRET_ACCESS", variables)


@pytest.mark.timeout(600)
def test_the_operators_quickstart_ends_with_a_response_of_amazon(running: None) -> None:
    page = ROOT / "docs" / "quickstarts" / "operator.md"
    (text,) = [text for language, text, test in fences(page) if not language and "test_compose" in test]
    printed = [compose(*shlex.split(line)[2:], seconds=300) for line in text.splitlines()]
    assert len(printed) <= 5
    assert "orders listed" in printed[1]
    last = json.loads(printed[-1].splitlines()[-1])
    assert last["status"] == 200, last


@pytest.mark.timeout(400)
def test_it_starts_again_with_its_stored_data(running: None) -> None:
    compose("stop", seconds=120)
    compose("up", "-d", "--wait", seconds=240)
    assert compose("logs", "--no-log-prefix", "init").count("Traceback") == 0


def test_images_are_small(running: None) -> None:
    def size(image: str) -> int:
        command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    base = size("python:3.13-slim")
    own = {
        name: (size(f"sellergate-{name}") - base) / 1e6 for name in (*SERVICES - {"postgres", "redis", "walk"}, "setup")
    }
    print("\nMB on top of python:3.13-slim: " + ", ".join(f"{name} {own[name]:.0f}" for name in sorted(own)))
    assert max(own.values()) < LARGEST_MEGABYTES
