"""The results of a bench, and the files in `dist/bench` that hold them."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benches.measuring import Measurement

FOLDER = Path(__file__).parents[1] / "dist" / "bench"
_LIBRARIES = ("grpcio", "uvloop", "aiohttp", "redis", "psycopg", "python-amazon-sp-api", "amzn-sp-api")


@dataclass(slots=True)
class Result:
    """What a bench found: measurements by table and subject, figures by their names in `bounds`, series of other values."""

    tables: dict[str, Mapping[str, Measurement]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    series: dict[str, Mapping[str, float]] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)


def machine() -> dict[str, Any]:
    """Return a description of this machine and the versions in use, without names and paths."""
    found = {"cores": os.cpu_count() or 0, "cpu": _cpu_model(), "system": f"{platform.system()} {platform.release()}"}
    return {**found, "python": platform.python_version(), "versions": {name: _version(name) for name in _LIBRARIES}}


def _cpu_model() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def folder_of(busy: bool) -> Path:
    """Return the folder of the results; those beside busy processes are kept apart."""
    return FOLDER / "busy" if busy else FOLDER


def write(name: str, result: Result, folder: Path, *, quick: bool, seconds: float) -> Path:
    """Write the results of a bench, which took `seconds`; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    document = {"bench": name, "quick": quick, "seconds": round(seconds, 1), "machine": machine(), **asdict(result)}
    file.write_text(json.dumps(document, indent=1) + "\n")
    return file


def read(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return the documents of all benches that ran, by name."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
