"""Console scripts: the version, and arguments that a service does not take."""

import tomllib
from importlib.metadata import version

import pytest
from sellergate_common.scripts import entry_points

from tests.paths import ROOT

SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_an_entry_point_and_a_version(
    script: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, function = SCRIPTS[script].partition(":")
    assert module == entry_points.__name__
    monkeypatch.setattr("sys.argv", [script, "--version"])
    getattr(entry_points, function)()
    assert capsys.readouterr().out == f"sellergate {version('sellergate')}\n"


@pytest.mark.parametrize("argument", ["--help", "--port=1", "extra"])
def test_a_service_refuses_an_argument_by_its_name(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        entry_points.run("sellergate-iam", "iam", [argument])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"and {argument} is none" in said
    assert said.count("\n") == 1


def test_a_missing_module_of_a_whole_installation_is_a_fault_and_raised() -> None:
    with pytest.raises(ModuleNotFoundError):
        entry_points.run("sellergate", "missing", [])
