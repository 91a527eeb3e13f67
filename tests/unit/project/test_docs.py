"""The pages for users agree with the code."""

import re
from pathlib import Path

import pytest
from sellergate.common.v1 import error_reason_pb2
from sellergate_cli.__main__ import app
from sellergate_common.errors import RULES, Reason
from typer.main import get_command

from tests.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_ROW = re.compile(r"^\| `([A-Z_]+)` \| `(\w+)` \| ([A-Z_]+) \| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)


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
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_that_are_named_exist(path: Path) -> None:
    root = get_command(app)
    for words in re.findall(r"`sellergate ([a-z][a-z -]+[a-z])", path.read_text()):
        command, rest = root, words.split()
        while rest and hasattr(command, "commands"):
            assert rest[0] in command.commands, words
            command = command.commands[rest.pop(0)]
