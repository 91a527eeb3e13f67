"""Looks up known vulnerabilities of pinned packages: audit_packages.py PIP_AUDIT FILE. Prints NOT RUN where no service responds."""

import json
import subprocess
import sys


def outcome(report: str) -> tuple[str, int]:
    """Return what to print for a report of pip-audit in JSON, and the exit code: 1 where a package has a known vulnerability."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return "NOT RUN: the vulnerability service does not respond.", 0
    looked_up = [package for package in packages if "skip_reason" not in package]
    if not looked_up:
        return f"NOT RUN: the vulnerability service knows none of {len(packages)} packages.", 0
    found = [f"{one['name']} {one['version']}: {fault['id']}" for one in looked_up for fault in one["vulns"]]
    skipped = len(packages) - len(looked_up)
    return "\n".join([*found, f"{len(looked_up)} packages looked up, {skipped} not known, faults: {len(found)}."]), int(
        bool(found)
    )


def main(pip_audit: str, file: str) -> int:
    """Run it, and return the exit code."""
    command = [
        pip_audit,
        "--requirement",
        file,
        "--require-hashes",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    try:
        done = subprocess.run(  # noqa: S603  (the Makefile's own arguments)
            command, capture_output=True, text=True, check=False, timeout=300
        )
        words, code = outcome(done.stdout)
    except subprocess.TimeoutExpired:
        words, code = outcome("")
    print(f"{file}: {words}")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
