"""`sellergate catalogue` generates a catalogue from models, reports changes, and refuses what the gateway would refuse."""

import copy
import json
from pathlib import Path

import pytest
from click.testing import Result
from sellergate_amazon.operations import Catalogue
from sellergate_cli.__main__ import app
from typer.testing import CliRunner

from tests.fakes.amazon_models import operation, orders, stock, write_models, write_overrides

MODELS = {"orders": orders(), "stock": stock()}


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["catalogue", *map(str, words)], env={"TERMINAL_WIDTH": "400"})


@pytest.fixture
def overrides(tmp_path: Path) -> Path:
    return write_overrides(tmp_path)


@pytest.fixture
def made(tmp_path: Path, overrides: Path) -> Path:
    """Return a catalogue of MODELS."""
    file = tmp_path / "catalogue.json"
    done = run("make", write_models(tmp_path, **MODELS), "--output", file, "--overrides", overrides)
    assert (done.exit_code, done.stdout) == (0, "11 operations\n")
    return file


def test_a_catalogue_that_was_made_is_read_and_checked(tmp_path: Path, made: Path, overrides: Path) -> None:
    assert len(Catalogue.read(made)) == 11
    first = made.read_bytes()
    run("make", tmp_path / "models", "-o", made, "--overrides", overrides)
    assert made.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalogue.json", "models", "overrides.json"]
    checked = run("check", made)
    assert (checked.exit_code, checked.stdout) == (0, "11 operations\n")
    same = run("check", tmp_path / "models", "--against", made, "--overrides", overrides)
    assert (same.exit_code, same.stdout) == (0, "11 operations, 0 changes\n")


def test_changes_are_reported_and_fail_a_check(tmp_path: Path, made: Path, overrides: Path) -> None:
    after = copy.deepcopy(MODELS)
    after["orders"]["paths"]["/orders/2030-01-01/new"] = {"get": operation("getNew")}
    folder = write_models(tmp_path / "after", **after)
    result = run("diff", folder, "--against", made, "--overrides", overrides)
    assert result.exit_code == 0
    assert "NEW" in result.stdout
    assert result.stdout.endswith("12 operations, 1 changes\n")
    as_json = run("diff", folder, "--against", made, "--overrides", overrides, "--json")
    assert json.loads(as_json.stdout) == {
        "kind": "NEW",
        "operation": "orders/2030-01-01/getNew",
        "before": "",
        "after": "GET /orders/2030-01-01/new",
    }
    assert run("check", folder, "--against", made, "--overrides", overrides).exit_code == 1


def test_an_override_without_an_operation_fails_a_check_and_is_named(tmp_path: Path, made: Path) -> None:
    lost = write_overrides(tmp_path, facts=[{"operation": "gone/v1/x", "repeatable": True, "source": "s"}])
    checked = run("check", tmp_path / "models", "--against", made, "--overrides", lost)
    assert checked.exit_code == 1
    assert "Note: gone/v1/x" in checked.stderr


def test_an_unreadable_file_is_refused_by_name(tmp_path: Path, made: Path, overrides: Path) -> None:
    bad = tmp_path / "models" / "bad.json"
    bad.write_text("{")
    for command in (["diff"], ["check"], ["make", "--output", made]):
        refused = run(command[0], tmp_path / "models", *command[1:], "--overrides", overrides)
        assert refused.exit_code == 1
        assert refused.stderr.startswith(f"{bad}: is not JSON")
    assert len(Catalogue.read(made)) == 11
    broken = run("check", bad)
    assert (broken.exit_code, broken.stderr.startswith(f"{bad}: ")) == (1, True)
    bad.unlink()
    unwritable = run("make", tmp_path / "models", "--output", tmp_path / "no" / "x.json", "--overrides", overrides)
    assert (unwritable.exit_code, "cannot be written" in unwritable.stderr) == (1, True)
