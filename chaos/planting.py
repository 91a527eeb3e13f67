"""Planted faults: `python -m chaos.planting FILE WORD...` applies a patch to a copy of the code and runs scenarios on the copy."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from chaos import report
from simulation.planting import ROOT, copy_code, paths

# What a busy machine can break by itself.
_NO_EVIDENCE = ("quiet", "run")
_MORE = ("chaos", "simulator", "tests")


def main() -> int:
    """Run the scenarios on the copy; return 0 if an invariant broke, as it has to."""
    patch, words = Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="sellergate-plant-") as folder:
        copy = Path(folder)
        copy_code(copy)
        shutil.rmtree(copy / "tests")
        for name in _MORE:
            (copy / name).symlink_to(ROOT / name)
        subprocess.run(
            ["git", "apply", str(patch)], cwd=copy, check=True, env={**os.environ, "GIT_CEILING_DIRECTORIES": folder}
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([paths(copy), str(ROOT / "simulator")])}
        subprocess.run([sys.executable, "-m", "chaos", *words], cwd=copy, env=environment, check=False)
        file = copy / report.FILE
        results = json.loads(file.read_text())["results"] if file.exists() else []
    shown = {words for one in results for words in one["violations"] if not words.startswith(_NO_EVIDENCE)}
    print(f"{patch.stem}: {'found' if shown else 'NOT FOUND'}", *sorted(shown), sep="\n  ")
    return int(not shown)


if __name__ == "__main__":
    sys.exit(main())
