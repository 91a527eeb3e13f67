"""The pages for users agree with the code."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from sellergate.common.v1 import error_reason_pb2
from sellergate_cli.__main__ import app
from sellergate_common.errors import RULES, Reason
from typer.main import get_command

from tests.paths import ROOT
from tests.unit.project.test_project import tracked

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/quickstarts").glob("*.md"))]
_ROW = re.compile(r"^\| `([A-Z_]+)` \| `(\w+)` \| ([A-Z_]+) \| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
# Every page with words for people, also beside the code.
TEXTS = tracked("*.md")
# What is no command and no program: output, diagrams.
_SHOWN = {"text", "mermaid"}
_MARK = re.compile(r"<!-- (?:tests?: (?P<tests>[\w./]+(?:, [\w./]+)*)(?:; .+)?|not run: (?P<why>.+)) -->")


def fences(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each fenced block of a page, also of a list's item: its language, its text and the line before it."""
    before, language, lines = "", None, list[str]()
    for line in path.read_text().splitlines():
        if not line.lstrip().startswith("```"):
            lines.append(line)
        elif language is None:
            before, language, lines = (lines or [""])[-1].strip(), line.strip()[3:], []
        else:
            yield language, dedent("\n".join(lines)), before
            language, lines = None, []


def test_every_reason_is_explained_as_it_is() -> None:
    rows = {name: (error, code, int(status)) for name, error, code, status, _, _ in _ROW.findall(page("errors.md"))}
    assert rows == {
        str(reason): (rule.error.__name__, str(rule.code), rule.http_status) for reason, rule in RULES.items()
    }
    numbers = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118
    assert set(rows) == numbers - {"UNSPECIFIED"} == {str(reason) for reason in Reason}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_that_are_named_exist(path: Path) -> None:
    root = get_command(app)
    for words in re.findall(r"`sellergate ([a-z][a-z -]+[a-z])", path.read_text()):
        command, rest = root, words.split()
        while rest and hasattr(command, "commands"):
            assert rest[0] in command.commands, words
            command = command.commands[rest.pop(0)]


def examples(path: Path) -> Iterator[tuple[str, str, re.Match[str] | None]]:
    """Yield each example of a page: its language, its text and its mark, which is the line before it or that of the page."""
    of_page = _MARK.fullmatch("".join(path.read_text().splitlines()[2:3]))
    for language, text, before in fences(path):
        if language not in _SHOWN:
            yield language, text, _MARK.fullmatch(before) or of_page


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_is_run_by_a_test_or_says_why_not(path: Path) -> None:
    """The line before a block names the test, or one mark at the head of the page names that of all its blocks."""
    for _, text, mark in examples(path):
        assert mark, f"{path.name}: write <!-- test: tests/… --> or <!-- not run: … --> before {text[:60]!r}"
        for test in (mark["tests"] or "").split(", "):
            assert (ROOT / test).exists(), test


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_named_tests_type_the_commands_of_an_example(path: Path) -> None:
    """A test that reads the page types all of its commands; any other has the words of each `sellergate` command."""
    for language, text, mark in examples(path):
        if language or not (mark and mark["tests"]):
            continue
        source = "".join((ROOT / test).read_text() for test in mark["tests"].split(", "))
        for line in text.splitlines() if path.name not in source and f'"{path.stem}"' not in source else ():
            command, words = get_command(app), line.partition(" #")[0].split()
            rest = words[words.index("sellergate") + 1 :] if "sellergate" in words else []
            typed = list[str]()
            while rest and hasattr(command, "commands") and rest[0] in command.commands:
                typed.append(rest.pop(0))
                command = command.commands[typed[-1]]
            spelling = ", ".join(f'"{word}"' for word in typed)
            assert spelling in source, f"{path.name}: {mark['tests']} does not type {line!r}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_targets_of_make_that_are_named_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = re.findall(r"(?:`|^)make ([a-z][a-z -]*[a-z])", path.read_text(), re.MULTILINE)
    assert {target for words in typed for target in words.split()} <= targets


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_options_of_commands_in_examples_exist(path: Path) -> None:
    for language, text, _ in fences(path):
        for line in text.splitlines() if not language else ():
            words = line.partition(" #")[0].split()
            at = next((index for index, word in enumerate(words) if word.rpartition("/")[2] == "sellergate"), None)
            # Of several commands in one line, only one that begins it is read.
            if at not in (0, len(words) - words[::-1].index("--") if "--" in words else 0):
                continue
            command, rest = get_command(app), words[at + 1 :]
            while rest and hasattr(command, "commands") and rest[0] in command.commands:
                command = command.commands[rest.pop(0)]
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            options = {word for word in rest if re.fullmatch(r"--?[a-z][a-z-]*", word)}
            assert options <= known, (line, options - known)


def test_the_readme_fits_on_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


@pytest.mark.parametrize("path", sorted((ROOT / "docs/quickstarts").glob("*.md")), ids=lambda path: path.name)
def test_a_quickstart_has_at_most_five_commands(path: Path) -> None:
    blocks = [text for language, text, _ in fences(path) if not language]
    assert blocks
    assert all(len(text.splitlines()) <= 5 for text in blocks)


def test_every_page_is_in_the_index_and_in_the_navigation() -> None:
    index, navigation = page("index.md"), (ROOT / "mkdocs.yml").read_text()
    for path in (ROOT / "docs").rglob("*.md"):
        name = path.relative_to(ROOT / "docs").as_posix()
        if name == "index.md" or (name.startswith("adr/") and name != "adr/README.md"):
            continue
        assert f"({name})" in index, name
        assert name in navigation, name
