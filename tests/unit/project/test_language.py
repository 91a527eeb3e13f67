"""Terms and words: the glossary is in use, the page of one call names real functions, and replaced words do not come back."""

import ast
import re
import tokenize
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import typer
from sellergate_cli.__main__ import app
from typer.main import get_command

from tests.paths import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
TERMS = re.findall(r"^- \*\*(.+?)\*\*: ", GLOSSARY.read_text(), re.MULTILINE)
STEPS = re.findall(r"\]\(\.\./([\w/.]+\.py)\) \| `(\w+)` \|$", (ROOT / "docs" / "a-call.md").read_text(), re.MULTILINE)
SOURCES = sorted(path for folder in ("services", "libs", "simulator") for path in (ROOT / folder).rglob("*.py"))
CLI = [path for path in SOURCES if "sellergate_cli" in path.parts]
TEXTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "RELEASING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "protos").rglob("*.proto")),
]
REPLACED = {
    r"\bwhoever\b|\b(some|no|any)body\b": "name the actor: caller, seller, operator, Amazon",
    r"\bwho waits?\b": "waiter",
    r"\bevery(body|one)\b|\bwhom\b": "all callers, all replicas; the actor",
    r"\banswer(s|ed)?\b": "response, respond, return",
    r"\banew\b": "again",
    r"\btold\b": "reported, returned",
    r"\bours\b": "Sellergate's",
    r"\bis gone\b|\bare gone\b": "unavailable, deleted",
    r"\balone\b(?! in)": "only",
    r"\bpapers\b": "request credentials",
    r"\bshelf\b": "entry store",
    r"\bstrides?\b": "batch",
    r"\b(a|its|the|wrong) handle\b|\band handles\b": "drop-in refresh token",
}
EXCEPTIONS = {
    "CONTRIBUTING.md": "quotes the words that it forbids",
    "docs/glossary.md": "says which term replaces `handle`",
}
LANGUAGE_FOLDERS = [
    path.relative_to(ROOT).as_posix()
    for folder in (".", "services", "libs", "tests", "tests/unit")
    for path in sorted((ROOT / folder).iterdir())
    if path.relative_to(ROOT).as_posix() in ("benches", "scripts", "simulation", "simulator")
    or (folder != "." and path.name not in ("unit", "__pycache__") and any(path.rglob("*.py")))
]
"""The folders whose docstrings, comments, sentences in strings and test names use the terms."""
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def test_terms_are_in_alphabetical_order_and_explained_once() -> None:
    assert sorted(TERMS, key=lambda term: term.lower().replace("-", " ")) == TERMS
    assert len(set(TERMS)) == len(TERMS) > 40
    assert len(TERMS) == GLOSSARY.read_text().count("\n- ")


def test_each_term_is_in_use() -> None:
    others = [path for path in chain(TEXTS, SOURCES) if path != GLOSSARY]
    tree = re.sub(r"[\s/#\"_-]+", " ", " ".join(path.read_text() for path in others)).lower()
    assert [term for term in TERMS if term.lower().replace("-", " ") not in tree] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_glossary_is_linked(page: str) -> None:
    assert "docs/glossary.md" in (ROOT / page).read_text()


@pytest.mark.parametrize(("file", "function"), STEPS, ids=[f"{file}::{function}" for file, function in STEPS])
def test_each_step_of_a_call_exists(file: str, function: str) -> None:
    nodes = ast.walk(ast.parse((ROOT / file).read_text()))
    assert function in {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_steps_of_a_call_lead_through_all_services() -> None:
    assert {Path(file).parts[1] for file, _ in STEPS} == {
        "edge",
        "gateway",
        "account",
        "token",
        "iam",
        "common",
        "client",
    }


def test_pages_and_contracts_use_the_terms() -> None:
    pages = {path.relative_to(ROOT).as_posix(): prose(path) for path in TEXTS}
    assert list(replaced_words({name: text for name, text in pages.items() if name not in EXCEPTIONS})) == []


def test_the_command_line_uses_the_terms() -> None:
    assert list(replaced_words(dict(help_texts()) | dict(docstrings(CLI)))) == []


@pytest.mark.parametrize("folder", LANGUAGE_FOLDERS)
def test_sources_use_the_terms(folder: str) -> None:
    paths = [path for path in sorted((ROOT / folder).rglob("*.py")) if path != Path(__file__)]
    assert paths, f"{folder} has no Python file"
    assert list(chain.from_iterable(replaced_words(dict(source_texts(path))) for path in paths)) == []


def test_a_replaced_word_in_a_source_is_found(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(
        '"""Whoever asks (`nobody`)."""\n# Signed anew.\ndef test_an_answer() -> str:\n    return f"{1} is\\ntold; ours()"\n'
        'TERM = "anew"\n'
    )
    found = [line for place, text in source_texts(source) for line in replaced_words({place: text})]
    assert [line.partition(": ")[0].rpartition(":")[2] for line in found] == ["3", "1", "4", "4", "2"]


def test_a_replaced_word_is_found(tmp_path: Path) -> None:
    page, contract = tmp_path / "page.md", tmp_path / "contract.proto"
    page.write_text("Whoever asks: `anew`; then\nis told.\n```\nnobody\n```\n")
    contract.write_text("// Signed anew.\nstring handle = 2; // ours\n")
    found = list(replaced_words({path.name: prose(path).lower() for path in (page, contract)}))
    assert [line.rpartition(": use ")[2].split()[0] for line in found] == ["name", "reported,", "again", "Sellergate's"]


def prose(path: Path) -> str:
    """Return a page without code, or the comments of a contract: names of fields stay for compatibility."""
    text = path.read_text()
    return "\n".join(re.findall(r"//.*", text)) if path.suffix == ".proto" else CODE.sub("", text)


def replaced_words(texts: dict[str, str]) -> Iterator[str]:
    """Yield each replaced word with its place and the term to use."""
    for place, text in texts.items():
        for pattern, term in REPLACED.items():
            for found in re.finditer(pattern, text):
                yield f"{place}: {text[max(0, found.start() - 30) : found.end() + 30]!r}: use {term}"


def help_texts() -> Iterator[tuple[str, str]]:
    """Yield the help of each command with that of its options."""
    waiting = [("sellergate", get_command(app))]
    while waiting:
        name, command = waiting.pop()
        options = (getattr(parameter, "help", None) or "" for parameter in command.params)
        yield name, "\n".join([command.help or "", command.epilog or "", *options])
        if isinstance(command, typer.core.TyperGroup):
            waiting += [(f"{name} {each}", inner) for each, inner in command.commands.items()]


def source_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield docstrings, strings of several words, names of tests and comments with their places, in lower case and without code."""
    text = path.read_text()
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            found.append((node.lineno, CODE.sub("", node.value)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            found.append((node.lineno, node.name.replace("_", " ")))
    with path.open("rb") as file:
        comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    found += [(comment.start[0], CODE.sub("", comment.string)) for comment in comments]
    for line, words in found:
        yield f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{line}", words.lower()


def docstrings(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield the docstrings of modules, classes and functions."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", text
