"""Completion in the shell: operations from the catalogue; accounts complete nothing where no suite runs."""

from pathlib import Path

import pytest
from sellergate_cli.__main__ import app
from sellergate_cli.completion import complete_operation
from typer.testing import CliRunner


def completed(words: str, **environment: str) -> list[str]:
    asked = {"_SELLERGATE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = CliRunner().invoke(app, [], prog_name="sellergate", env=asked | environment)
    return done.stdout.split()


def test_operations_complete_by_id_and_by_name() -> None:
    assert complete_operation("getmarketplacep") == ["getMarketplaceParticipations"]
    assert complete_operation("sellers/v1/getM") == ["sellers/v1/getMarketplaceParticipations"]
    assert "getFeeds" in complete_operation("")
    assert complete_operation("nothing") == []


@pytest.mark.parametrize("command", ["call", "quota", "capture -o"])
def test_the_commands_that_take_an_operation_complete_it(command: str) -> None:
    assert completed(f"sellergate {command} getMarketplacePart") == ["getMarketplaceParticipations"]


def test_an_account_completes_nothing_where_no_suite_runs(tmp_path: Path) -> None:
    assert completed("sellergate accounts show 01", SELLERGATE_STATE_DIR=str(tmp_path)) == []
