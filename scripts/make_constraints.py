"""Writes constraints.txt: the newest version of every package that pyproject.toml requires, and prints what changed.

`make constraints` runs it. pip resolves all development dependencies in a fresh virtual environment, from its configured index;
the file holds names and versions only.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "constraints.txt"
# Not pinned: the project itself, and pip.
_LEFT_OUT = frozenset({"sellergate", "pip"})


def key(name: str) -> str:
    """Return a package's name in the form that all spellings share."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: Iterable[str]) -> dict[str, str]:
    """Read `name==version` lines; return them by the package's name."""
    found = {key(line.partition("==")[0]): line for line in lines if line.strip()}
    return {name: line for name, line in found.items() if name not in _LEFT_OUT}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return a line for each package whose version changed, that was added or removed."""
    lines = []
    for name in sorted({*before, *after}):
        old, new = (which.get(name, "").partition("==")[2] for which in (before, after))
        if not old:
            lines.append(f"added {name} {new}")
        elif not new:
            lines.append(f"removed {name} {old}")
        elif old != new:
            lines.append(f"{name} {old} -> {new}")
    return lines or ["nothing changed"]


def written(after: Mapping[str, str]) -> str:
    """Return the file's text."""
    return "".join(f"{line}\n" for line in sorted(after.values(), key=str.lower))


def resolved(build: Sequence[str]) -> dict[str, str]:
    """Resolve the project with all development dependencies in a fresh virtual environment; return what pip would install there.

    `build` are the pinned build requirements, which decide the versions of the generators' libraries.
    """
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        report = Path(folder) / "report.json"
        command = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        command += ["--dry-run", "--ignore-installed", "--report", str(report), *build, f"{ROOT}[dev,docs]"]
        subprocess.run(command, check=True)  # noqa: S603  (no outside input)
        packages = [one["metadata"] for one in json.loads(report.read_text(encoding="utf-8"))["install"]]
    return pins(f"{one['name']}=={one['version']}" for one in packages)


def main() -> None:
    """Make the file."""
    before = pins(FILE.read_text(encoding="utf-8").splitlines())
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    after = resolved(build)
    FILE.write_text(written(after), encoding="utf-8")
    sys.stdout.write("\n".join(changes(before, after)) + "\n")


if __name__ == "__main__":
    main()
