"""Secrets of commands: from the environment, a file or standard input, and never from the command line."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
from sellergate_cli.options import from_environment, secret
from typer.testing import CliRunner

VARIABLE = "SELLERGATE_TEST_SECRET"
app = typer.Typer()


@app.command()
def show(given: Annotated[str, from_environment(VARIABLE)] = "") -> None:
    typer.echo(f"[{secret(VARIABLE, given, 'a secret').get_secret_value()}]")


def test_a_secret_comes_from_the_environment_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of a file\n")
    for value, sent, found in (
        ("of the environment", "", "of the environment"),
        (f"@{tmp_path / 'secret'}", "", "of a file"),
        ("@-", "of standard input\n", "of standard input"),
    ):
        done = CliRunner().invoke(app, [], env={VARIABLE: value}, input=sent)
        assert (done.exit_code, done.stdout.strip()) == (0, f"[{found}]"), done.output


@pytest.mark.parametrize("value", ["@/no/such/file", ""])
def test_a_missing_or_unreadable_secret_is_reported_by_its_variable(value: str) -> None:
    done = CliRunner().invoke(app, [], env={VARIABLE: value})
    assert done.exit_code == 1
    assert VARIABLE in done.output


def test_a_secret_on_the_command_line_is_refused() -> None:
    done = CliRunner().invoke(app, ["--given", "hunter2"])
    assert done.exit_code == 2
    assert "not accepted on the command line" in " ".join(done.output.split())
    assert "hunter2" not in done.output
