"""The run.json files that are trusted: the file determines where secrets are sent."""

import json
import os
from pathlib import Path

import pytest
from sellergate_cli.settings import operator_settings, read_run
from sellergate_common.settings import SettingsError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / ".sellergate"
    folder.mkdir(mode=0o700)
    run = folder / "run.json"
    run.write_text(json.dumps({"account": "attacker.example:1"}))
    run.chmod(0o600)
    return run


def test_the_users_own_file_is_read(file: Path) -> None:
    assert read_run(file) == {"account": "attacker.example:1"}


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_file_that_others_can_write_is_not_trusted(
    file: Path, place: str, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file if place == "file" else file.parent).chmod(mode | 0o100)
    for name in ("ACCOUNT_TARGET", "TLS_CA_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE", "STATE_DIR"):
        monkeypatch.delenv(f"SELLERGATE_{name}", raising=False)
    monkeypatch.chdir(file.parent.parent)
    with pytest.raises(SettingsError, match="is not trusted: it must be yours"):
        operator_settings(None)


def test_a_file_of_another_user_is_not_trusted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    with pytest.raises(SettingsError, match="is not trusted"):
        read_run(file)
