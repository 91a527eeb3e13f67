"""`make run` in a fresh clone without installed packages, as the present user and as an unprivileged one."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import ephemeral_ports
from tests.paths import ROOT
from tests.system.conftest import Need

MINUTES = 3
ORDINARY = "nobody"


def clone(folder: Path) -> Path:
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder / "sellergate")]
    subprocess.run(command, check=True)
    return folder / "sellergate"


def run(checkout: Path, home: Path, user: pwd.struct_passwd | None) -> None:
    kept = (
        "PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "PIP_CERT",
        "PIP_FIND_LINKS",
        "PIP_INDEX_URL",
        "REQUESTS_CA_BUNDLE",
    )
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(home)}
    environment |= {f"SELLERGATE_{name.upper()}": str(port) for name, port in ephemeral_ports().items()}
    become: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    began = time.monotonic()
    with subprocess.Popen(
        ["make", "run"],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **become,
    ) as process:
        report = checkout / ".sellergate" / "run.json"
        while not report.exists() and process.poll() is None and time.monotonic() - began < MINUTES * 60:
            time.sleep(0.2)
        took = time.monotonic() - began
        response = None
        if report.exists():
            run_report = json.loads(report.read_text())
            headers = {"Authorization": f"Bearer {run_report['jwt']}"}
            params = {"amazonAccountId": run_report["account_id"], "marketplaceId": "ATVPDKIKX0DER"}
            response = httpx.get(
                f"{run_report['edge']}/api/amazon/test/orders", params=params, headers=headers, trust_env=False
            )
        os.killpg(process.pid, signal.SIGINT)  # like Ctrl-C: to make and its children
        output, _ = process.communicate(timeout=60)
    assert response is not None, output
    assert response.json()["orders"], output
    assert took < MINUTES * 60
    assert "orders listed" in output
    assert "Sellergate has ended." in output
    assert "Traceback" not in output
    assert process.returncode == -signal.SIGINT, "make itself dies of Ctrl-C, after what it ran has ended"


@pytest.mark.timeout(300)
def test_make_run_as_the_present_user(tmp_path: Path, need: Need) -> None:
    need.program("git")
    (tmp_path / "home").mkdir()
    run(clone(tmp_path), tmp_path / "home", None)


@pytest.mark.timeout(300)
def test_make_run_as_an_ordinary_user(need: Need) -> None:
    need.program("git")
    need.root()
    user = pwd.getpwnam(ORDINARY)
    folder = Path("/var/tmp") / f"sellergate-system-{os.getpid()}"  # accessible to all users, unlike pytest's folders
    folder.mkdir(mode=0o755)
    try:
        checkout = clone(folder)
        (folder / "home").mkdir()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        run(checkout, folder / "home", user)
    finally:
        shutil.rmtree(folder)
