"""Fills the digests of a release's images into the production overlay, from lines "<service> sha256:<64 hex digits>"."""

import re
import sys
from pathlib import Path

FILE = (
    Path(__file__).resolve().parent.parent
    / "deploy"
    / "k8s"
    / "overlays"
    / "production"
    / "images"
    / "kustomization.yaml"
)
_LINE = re.compile(r"(account|token|iam|gateway|edge) (sha256:[0-9a-f]{64})")


def filled(text: str, lines: str) -> str:
    """Return the file with these digests. Raises ValueError unless every image gets exactly one."""
    given = [match.groups() for line in lines.splitlines() if (match := _LINE.fullmatch(line.strip()))]
    digests = dict(given)
    images = re.findall(r"name: sellergate-(\w+),", text)
    if sorted(images) != sorted(service for service, _ in given):
        raise ValueError(f"must name each of {', '.join(images)} once, as in: account sha256:<64 hex digits>")
    for service, digest in digests.items():
        text = re.sub(rf"(name: sellergate-{service},.*digest: )[^}}]*", rf'\g<1>"{digest}"', text)
    return text


if __name__ == "__main__":
    try:
        FILE.write_text(filled(FILE.read_text(), sys.stdin.read()))
    except ValueError as error:
        raise SystemExit(str(error)) from None
