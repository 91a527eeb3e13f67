"""The wheel and the source distribution outside of the tree: one extra runs its programs, on every Python that is here."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.system.conftest import Need

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSIONS = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if " 3." in one]
SERVICES = ("account", "token", "iam", "gateway", "edge")
WRONG_USAGE = 2
# Imports every module of the packages that are named: what a module needs at import must be in the extra.
IMPORTS = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` builds from a clone."""
    clone = tmp_path_factory.mktemp("dist") / "sellergate"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    done = subprocess.run(
        ["make", "dist", f"PYTHON={sys.executable}"],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return clone / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


class Installed:
    """A fresh environment with the wheel and its extras, in a folder outside of the tree."""

    def __init__(self, folder: Path, wheel: Path, extras: str, python: str = sys.executable) -> None:
        self.folder = folder
        if python == sys.executable:
            venv.create(folder / "venv", with_pip=True)
        else:
            subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
        what = f"{wheel}[{extras}]" if extras else str(wheel)
        command = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-c",
            str(ROOT / "constraints.txt"),
            what,
        ]
        done = self.run("python", *command, seconds=600)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(
        self, script: str, *arguments: str, seconds: float = 120, **given: str
    ) -> "subprocess.CompletedProcess[str]":
        kept = ("PATH", "HOME", "PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "SSL_CERT_FILE")
        environment = {name: os.environ[name] for name in kept if name in os.environ} | given
        command = [str(self.folder / "venv" / "bin" / script), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )

    def imports(self, *packages: str) -> None:
        done = self.run("python", "-c", IMPORTS, *packages)
        assert done.returncode == 0, done.stderr


def test_the_wheel_has_its_metadata_its_protos_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        fields = message_from_string(archive.read(metadata).decode())
    assert (fields["Name"], fields["Version"]) == ("sellergate", PROJECT["version"])
    assert (fields["License-Expression"], fields["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert fields["Author"] == "Sellergate"
    assert len(fields.get_all("Classifier") or []) == len(PROJECT["classifiers"])
    protos = {str(path.relative_to(ROOT / "protos")) for path in (ROOT / "protos").rglob("*.proto")}
    assert protos <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]


def test_the_source_distribution_builds_the_same_wheel(dist: Path, wheel: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path / "built"), str(source)]
    subprocess.run(command, check=True, timeout=600)
    (built,) = (tmp_path / "built").glob("*.whl")
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(wheel) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_the_base_is_the_client_library_and_says_what_is_missing(wheel: Path, tmp_path: Path) -> None:
    installed = Installed(tmp_path, wheel, "")
    installed.imports("sellergate_client", "sellergate_amazon")
    for script in PROJECT["scripts"]:
        assert installed.run(script, "--version").stdout == f"sellergate {PROJECT['version']}\n"
        extra = script.partition("-")[2] or "cli"
        done = installed.run(script)
        if extra == "simulator" and done.returncode != WRONG_USAGE:
            continue
        assert done.returncode == WRONG_USAGE, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"{script} needs the extra {extra} (not installed: ")
        assert line.endswith(f"whl[{extra}]'")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_only_its_extra(wheel: Path, tmp_path: Path, service: str) -> None:
    installed = Installed(tmp_path, wheel, service)
    installed.imports(f"sellergate_{service}", "sellergate_common")
    done = installed.run(f"sellergate-{service}")
    assert done.returncode == WRONG_USAGE, done.stderr
    assert "REDIS_URL: must be set" in done.stderr, "it has read its settings"


def test_the_simulator_starts_with_only_its_extra(wheel: Path, tmp_path: Path) -> None:
    installed = Installed(tmp_path, wheel, "simulator")
    installed.imports("sellergate_simulator")
    wrong = installed.run("sellergate-simulator", SELLERGATE_SIMULATOR_PORT="99999")
    assert "SELLERGATE_SIMULATOR" in wrong.stderr


def test_the_command_line_works_with_only_its_extra(wheel: Path, tmp_path: Path) -> None:
    installed = Installed(tmp_path, wheel, "cli")
    installed.imports("sellergate_cli")
    assert "Usage: " in installed.run("sellergate", "--help").stdout
    assert installed.run("sellergate", "keys", "new").stdout.startswith("k20")
    for words, code in (
        (("up",), WRONG_USAGE),
        (("keys", "new", "--kms", "alias/x"), WRONG_USAGE),
        (("accounts", "list"), 1),
    ):
        done = installed.run("sellergate", *words)
        assert done.returncode == code, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "run.json does not exist" in installed.run("sellergate", "accounts", "list").stderr


def test_the_files_of_containers_need_only_the_extra_setup(wheel: Path, tmp_path: Path) -> None:
    Installed(tmp_path, wheel, "setup").imports("sellergate_devstack.containers")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_whole_suite_runs_outside_of_the_tree(wheel: Path, tmp_path: Path, need: Need, version: str) -> None:
    python = shutil.which(f"python{version}") or ""
    works = python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    need(f"Python {version}", bool(works))
    installed = Installed(tmp_path, wheel, "devstack", python)
    run = (
        "import signal, subprocess, sys, time\n"
        "process = subprocess.Popen([sys.argv[1], 'up'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)\n"
        "for line in process.stdout:\n"
        "    print(line, end='')\n"
        "    if line.startswith('Ctrl-C'):\n"
        "        process.send_signal(signal.SIGINT)\n"
        "sys.exit(process.wait(60))\n"
    )
    from tests.e2e.conftest import ephemeral_ports

    ports = {f"SELLERGATE_{name.upper()}": str(port) for name, port in ephemeral_ports().items()}
    done = installed.run("python", "-c", run, str(tmp_path / "venv" / "bin" / "sellergate"), seconds=240, **ports)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "orders listed" in done.stdout
