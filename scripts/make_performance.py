"""Write docs/performance.md and its plots from the results of `make bench` in dist/bench."""

import sys
from pathlib import Path

from benches.results import folder_of, read
from scripts.performance.page import page
from scripts.performance.plots import plots

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Return 1 if nothing was measured."""
    documents = read()
    if not documents:
        print("dist/bench is empty: run `make bench` first", file=sys.stderr)
        return 1
    folder, plotted = ROOT / "docs" / "performance", dict[str, list[str]]()
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for bench, name, svg in plots(documents):
        (folder / name).write_text(svg)
        plotted.setdefault(bench, []).append(name)
    (ROOT / "docs" / "performance.md").write_text(page(documents, plotted, read(folder_of(True))))
    print(f"docs/performance.md: {len(documents)} benches, {sum(map(len, plotted.values()))} plots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
