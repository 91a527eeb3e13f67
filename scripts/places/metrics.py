"""The places of a metric: where it is made, the page of metrics, a test, and what alerts and dashboards read."""

import ast
import re
from collections.abc import Iterator

from scripts.places.tree import Tree, sentence, table

HEADING = "Add a metric"
PAGE = "docs/metrics.md"
_MADE = re.compile(r"\b(Counter|Gauge|Histogram|Summary)(?:MetricFamily)?$")
_NAME = re.compile(r"\bsellergate_[a-z_]+")
_PARTS = ("_bucket", "_count", "_sum")


def missing(tree: Tree) -> Iterator[str]:
    """Yield a sentence for each place that lacks a metric, or that names one that no code makes."""
    made = dict(_made(tree))
    rows = table(tree.text(PAGE), "sellergate_[a-z_]+")
    tested = tree.words_of_tests()
    for pattern, path in sorted(made.items()):
        name = pattern.replace(_ANY, "…")
        if not any(re.fullmatch(pattern, row) for row in rows):
            yield sentence(PAGE, f"has no row for {name} of {path}", HEADING)
        if not any(
            re.fullmatch(f"{pattern}(_total|_bucket|_count|_sum)?|{pattern.removesuffix('_total')}", word)
            for word in tested
        ):
            yield sentence("tests/", f"has no test that reads {name} of {path}", HEADING)
    for row, cells in rows.items():
        if not any(re.fullmatch(pattern, row) for pattern in made):
            yield sentence(PAGE, f"has a row for {row}, which no code makes", HEADING)
        if len(cells) != 3 or not all(cells):  # noqa: PLR2004  (type, processes, meaning)
            yield sentence(PAGE, f"does not say type, processes and meaning of {row}", HEADING)
    for file in tree.files("deploy/observability/alerts.yml", "deploy/observability/**/*.json"):
        for name in sorted(set(_NAME.findall(file.read_text(encoding="utf-8")))):
            whole = [name, *(name.removesuffix(part) for part in _PARTS)]
            if not any(re.fullmatch(pattern, one) for pattern in made for one in whole):
                yield sentence(tree.path(file), f"reads {name}, which no code makes", HEADING)


_ANY = "[a-z_]+"


def _made(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield each metric as a scrape shows it, as a pattern, and the module that makes it."""
    for file in tree.files("libs/**/*.py", "services/**/*.py"):
        text = file.read_text(encoding="utf-8")
        if "prometheus_client" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            kind = _MADE.search(ast.unparse(node.func))
            name = _pattern(node.args[0])
            if kind and name.startswith("sellergate_"):
                total = "_total" if kind[1] == "Counter" and not name.endswith("_total") else ""
                yield name + total, tree.path(file)


def _pattern(node: ast.expr) -> str:
    match node:
        case ast.Constant(str(name)):
            return name
        case ast.JoinedStr(parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else _ANY for part in parts)
    return ""
