"""Writes requirements/run.txt and dev.txt: every package with its version and the hashes of all its files, and what needs it.

`make requirements` runs it with uv, which reads the index that pip is configured with. Versions are those of constraints.txt.
"""

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The services for which images are built (Dockerfile, SERVICE), and the command line.
RUN = ("account", "token", "iam", "gateway", "edge", "simulator", "setup", "cli")
BUILD = "build"
HEAD = """\
# Made by `make requirements`; a test compares it with pyproject.toml and constraints.txt.
# pip install --require-hashes --no-deps -r {name}, then the project with --no-deps --no-build-isolation.
"""


def compiled(uv: str, source: Path, *options: str) -> dict[str, str]:
    """Return what a resolution needs: package → its lines."""
    command = [
        uv,
        "pip",
        "compile",
        str(source),
        "--constraint",
        str(ROOT / "constraints.txt"),
        "--universal",
        "--quiet",
    ]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--python-version", "3.11", *options]
    done = subprocess.run(  # noqa: S603  (the Makefile's own arguments)
        command, cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, str] = {}
    name = ""
    for line in done.stdout.splitlines():
        if line and not line.startswith((" ", "#")):
            name = line.partition("==")[0]
        found[name] = found.get(name, "") + line + "\n"
    return found


def written(name: str, packages: dict[str, str], needed_by: dict[str, Iterable[str]]) -> None:
    """Write a file: each package's lines, and after them what needs it."""
    users = {package: sorted(user for user, needed in needed_by.items() if package in needed) for package in packages}
    blocks = [f"{lines}    # needed by {' '.join(users[package])}\n" for package, lines in packages.items()]
    (ROOT / "requirements" / name).write_text(HEAD.format(name=f"requirements/{name}") + "".join(blocks))


def main(uv: str) -> None:
    """Make both files."""
    project = ROOT / "pyproject.toml"
    extras = [option for extra in RUN for option in ("--extra", extra)]
    services = {extra: compiled(uv, project, "--extra", extra) for extra in RUN}
    written("run.txt", compiled(uv, project, *extras, "--generate-hashes"), services)
    with tempfile.TemporaryDirectory() as folder:
        build, both = Path(folder) / "build.in", Path(folder) / "both.in"
        build.write_text("\n".join(tomllib.loads(project.read_text())["build-system"]["requires"]))
        tools = compiled(uv, build)
        dev = compiled(uv, project, "--extra", "dev")
        both.write_text(
            "".join(line for package in (tools | dev).values() for line in package.splitlines(keepends=True))
        )
        written("dev.txt", compiled(uv, both, "--no-deps", "--generate-hashes"), {"dev": dev, BUILD: tools})


if __name__ == "__main__":
    main(sys.argv[1])
