"""The files in `dist` that hold the results of runs, from which `make results` writes a page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Write a result below the current folder: a run over a copy of the code writes into the copy."""
    folder = Path("dist")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
