"""What each install may import: the client library no package of an extra, and the one-shots of compose only those of theirs."""

import subprocess
import sys
from importlib.metadata import packages_distributions, requires

import pytest
from sellergate_common.scripts.extras import DISTRIBUTION, packages_of

from tests.paths import ROOT

IMPORTING = """
import importlib, pkgutil, sys
absent = set(sys.argv[2].split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}, which only an extra installs", name=name)
sys.meta_path.insert(0, Absent())
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
# What other packages of an install bring too.
SHARED = {"cryptography"}


@pytest.mark.parametrize(
    ("package", "extra"),
    [("sellergate_client", ""), ("sellergate_devstack.containers", "setup"), ("sellergate_cli", "cli")],
)
def test_a_package_imports_no_package_that_its_install_lacks(package: str, extra: str) -> None:
    lines = requires(DISTRIBUTION) or []
    absent = packages_of("devstack", lines) - packages_of(extra, lines) - SHARED
    modules = {name for name, owners in packages_distributions().items() if {one.lower() for one in owners} <= absent}
    assert {"grpc_reflection", "uvicorn"} <= modules
    command = [sys.executable, "-c", IMPORTING, package, ",".join(sorted(modules))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
