"""The project's rules about its own files."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(
    line.lower().replace("_", "-").split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and line[0] != "#"
)


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_build_uses_the_pinned_generators() -> None:
    for requirement in PROJECT["build-system"]["requires"]:
        name, _, version = requirement.partition("==")
        assert PINS[name.lower()] == version


def test_every_direct_dependency_is_pinned() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    named = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    missing = {
        name for one in named if (name := re.split(r"[\[<>=;~]", one)[0].lower()) != "sellergate" and name not in PINS
    }
    assert not missing


def test_constraints_hold_only_names_and_versions() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.+]+", line), line


def test_no_file_is_longer_than_one_can_hold_in_mind() -> None:
    long = {path.name: n for path in tracked("*.py") if (n := len(path.read_text().splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("service", ["account", "token", "iam", "gateway", "edge"])
def test_every_service_opens_the_same_way(service: str) -> None:
    package = ROOT / "services" / service / f"sellergate_{service}"
    main = (package / "__main__.py").read_text()
    assert len(main.splitlines()) <= 75
    assert (package / "settings.py").is_file()
    for step in ("load_settings(", "configure_logging(", "async def serve(", "def main() -> None:"):
        assert step in main, step
    parts = {"edge": {"app.py"}, "account": {"rpc", "ports"}, "gateway": {"rpc", "model.py"}}
    for part in parts.get(service, {"servicer.py", "ports.py"}):
        assert (package / part).exists(), part


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked("libs/*.py", "services/*.py", "simulator/*.py", "tests/*.py", "scripts/*.py")
        if path.name != "__init__.py" and not path.read_text().startswith(('"""', '#!/usr/bin/env python3\n"""'))
    ]
    assert not silent


def test_only_settings_read_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in tracked("libs/*.py", "services/*.py", "simulator/*.py")
        if re.search(r"os\.environ|getenv", path.read_text()) and path.name != "settings.py"
    ]
    assert not readers


def packages() -> list[Path]:
    """Yield every package of the product."""
    inits = tracked("libs/*__init__.py", "services/*__init__.py", "simulator/*__init__.py")
    return [init.parent for init in inits]


def modules_of(package: Path) -> set[str]:
    return {path.stem for path in package.glob("*.py")} - {"__init__"}


def test_every_package_fits_on_a_screen() -> None:
    crowded = {str(package.relative_to(ROOT)): n for package in packages() if (n := len(modules_of(package))) > 14}
    assert not crowded


def test_the_gateway_reads_like_a_table_of_contents() -> None:
    gateway = ROOT / "services" / "gateway" / "sellergate_gateway"
    inside = {path.parent.name for path in gateway.glob("*/__init__.py")}
    assert inside == {"calls", "captures", "credentials", "documents", "quota", "reports", "rpc", "spapi"}
    assert modules_of(gateway) == {"__main__", "catalogue", "grpc_accounts", "model", "settings", "wiring"}


def test_every_package_says_what_it_owns() -> None:
    silent = [str(path) for path in packages() if not (path / "__init__.py").read_text().startswith('"""')]
    assert not silent


def test_unit_tests_mirror_the_tree() -> None:
    """`tests/unit/<service>/<package>/test_<module>[_<topic>].py` tests that module of `sellergate_<service>`."""
    lost = []
    for path in tracked("tests/unit/*.py"):
        service, *inside = path.relative_to(ROOT / "tests" / "unit").parts
        if service == "project" and len(inside) == 1:
            continue
        home = [package for package in packages() if package.name == f"sellergate_{service}"]
        subject = Path(inside[-1]).stem.removeprefix("test_")
        modules = modules_of(home[0].joinpath(*inside[:-1])) if home else set()
        if not any(subject == name or subject.startswith(f"{name}_") for name in modules):
            lost.append(str(path.relative_to(ROOT)))
    assert not lost
