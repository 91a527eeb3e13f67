"""Fills a release's images into the production overlay, from lines "<service> [<registry>/<name>@]sha256:<64 hex digits>"."""

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
_LINE = re.compile(r"(account|token|iam|gateway|edge|cli) (?:([\w.:/-]+)@)?(sha256:[0-9a-f]{64})")


def filled(text: str, lines: str) -> str:
    """Return the file with these digests. Raises ValueError unless every image gets exactly one."""
    given = [match.groups() for line in lines.splitlines() if (match := _LINE.fullmatch(line.strip()))]
    images = re.findall(r"name: sellergate-(\w+),", text)
    if sorted(images) != sorted(service for service, _, _ in given):
        raise ValueError(f"must name each of {', '.join(images)} once, as in: account sha256:<64 hex digits>")
    for service, name, digest in given:
        found = re.search(rf"name: sellergate-{service}, newName: (\S+), digest: [^}}]*", text)
        if found is None:
            raise ValueError(f"{FILE.name} must have a name, a newName and a digest for sellergate-{service}")
        line = f'name: sellergate-{service}, newName: {name or found[1]}, digest: "{digest}"'
        text = text.replace(found[0], line)
    return text


if __name__ == "__main__":
    try:
        FILE.write_text(filled(FILE.read_text(), sys.stdin.read()))
    except ValueError as error:
        raise SystemExit(str(error)) from None
