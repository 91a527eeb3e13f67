"""The files of a source tree, and the form of a sentence about one that lacks something."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tree:
    """A source tree; paths are relative to its root."""

    root: Path

    def text(self, path: str) -> str:
        """Return a file's text; empty where there is no such file."""
        file = self.root / path
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def files(self, *patterns: str) -> list[Path]:
        """Return the files that match any pattern, without generated stubs."""
        found = {file for pattern in patterns for file in self.root.glob(pattern)}
        return sorted(file for file in found if "stubs" not in file.parts)

    def texts(self, *patterns: str) -> str:
        """Return the text of all files that match any pattern."""
        return "\n".join(file.read_text(encoding="utf-8") for file in self.files(*patterns))

    def path(self, file: Path) -> str:
        """Return a file's path relative to the root."""
        return file.relative_to(self.root).as_posix()

    @property
    def services(self) -> list[str]:
        """The names of all services, by their folders."""
        return sorted(file.parent.parent.name for file in self.files("services/*/sellergate_*/__init__.py"))

    def words(self, *patterns: str, but: Collection[str] = ()) -> frozenset[str]:
        """Return every name in the files that match any pattern; `but` are paths, or folders, that do not count."""
        files = [file for file in self.files(*patterns) if not self.path(file).startswith(tuple(but))]
        return frozenset(re.findall(r"\w+", "\n".join(file.read_text(encoding="utf-8") for file in files)))

    def words_of_tests(self, *but: str) -> frozenset[str]:
        """Return every name in the tests, without those of the project's own rules."""
        return self.words("tests/**/*.py", but=("tests/unit/project/", "tests/places.py", *but))


def sentence(path: str, problem: str, heading: str) -> str:
    """Name the place, what it lacks, and the list of CONTRIBUTING.md that holds it."""
    return f'{path} {problem}: see "{heading}" in CONTRIBUTING.md.'


def table(text: str, name: str) -> dict[str, list[str]]:
    """Return the rows of Markdown tables whose first cell is `name` (a pattern) as code: that name → the other cells."""
    rows = re.findall(rf"^\| `({name})(?:{{[^`]*}})?` \|(.*)\|$", text, re.MULTILINE)
    return {first: [cell.strip() for cell in rest.split("|")] for first, rest in rows}
