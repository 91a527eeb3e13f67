"""The page on the original README names a test for each of its lines, and each of these tests exists."""

import ast
import re
from functools import cache

from tests.paths import ROOT

PAGE = ROOT / "docs" / "original.md"
LINES = 102
_ROW = re.compile(
    r"^\| (?P<original>.+) \| (?P<here>.+) \| (?P<done>\w+) \| `(?P<path>tests/[\w/]+\.py)::(?P<name>\w+)` \|$"
)


def rows() -> list[re.Match[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| the ")]
    found = [_ROW.match(line) for line in lines]
    assert all(found), [line for line, row in zip(lines, found, strict=True) if row is None]
    return [row for row in found if row is not None]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_line_of_the_original_has_a_row() -> None:
    assert len(rows()) == LINES


def test_every_line_is_done() -> None:
    assert [row["original"] for row in rows() if row["done"] != "yes"] == []


def test_every_named_test_exists() -> None:
    missing = [f"{row['path']}::{row['name']}" for row in rows() if row["name"] not in names_in(row["path"])]
    assert missing == []
