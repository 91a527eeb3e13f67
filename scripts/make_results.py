"""Write docs/results.md from the results of the long checks in dist."""

import json
import sys
from pathlib import Path
from typing import Any

from benches.results import machine, read
from scripts.results.page import CHECKS, page

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"


def main() -> int:
    """Return 1 if nothing was run."""
    documents: dict[str, Any] = {}
    times: dict[str, float] = {}
    for name in CHECKS:
        if name == "bench":
            files, found = sorted((DIST / name).glob("*.json")), read(DIST / name)
        else:
            files = [file for file in [DIST / f"{name}.json"] if file.exists()]
            found = json.loads(files[0].read_text()) if files else {}
        if found:
            documents[name], times[name] = found, max(file.stat().st_mtime for file in files)
    if not documents:
        print("dist has no results: run `make simulate`, for example, first", file=sys.stderr)
        return 1
    (ROOT / "docs" / "results.md").write_text(page(documents, times, machine()))
    print(f"docs/results.md: {len(documents)} checks, {len(CHECKS) - len(documents)} not run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
