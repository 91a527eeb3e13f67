"""Planted leaks: each patch of `leaks/plants` is applied to a copy of the code, and a hunt over the copy must find it."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leaks.hunting import hunted
from tests.paths import ROOT

PLANTS = ROOT / "leaks" / "plants"


@dataclass(frozen=True, slots=True)
class Planted:
    """What became of one plant: the places in which the hunt found a leak, none if it found nothing."""

    name: str
    words: str
    places: list[str]

    def document(self) -> dict[str, Any]:
        """Return all as JSON has it."""
        return asdict(self)


def plant(patch: Path) -> Planted:
    """Hunt over a copy of the code with one patch. Raises CalledProcessError if the patch does not apply."""
    with tempfile.TemporaryDirectory(prefix="leaks-plant-") as folder:
        copy = Path(folder)
        for part in ("libs", "services"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "stubs"))
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": folder}
        subprocess.run(["git", "apply", str(patch.resolve())], cwd=copy, env=environment, check=True)
        code = sorted(path for part in ("libs", "services") for path in (copy / part).iterdir() if path.is_dir())
        found = hunted(code)
    return Planted(patch.stem, patch.read_text().partition("\n")[0], sorted({leak.place for leak in found.leaks}))
