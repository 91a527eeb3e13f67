"""`sellergate keys`: the services can read its output."""

import stat
from pathlib import Path

from sellergate_cli.__main__ import app
from sellergate_common.crypto.sealing import KeyRing, parse_key
from typer.testing import CliRunner

RUNNER = CliRunner()


def test_a_new_key_is_a_key_ring_and_no_two_agree() -> None:
    first, second = (RUNNER.invoke(app, ["keys", "new", "--kid", "k1"]).output for _ in range(2))
    assert KeyRing.parse(first).newest == "k1"
    assert first != second
    assert KeyRing.parse(RUNNER.invoke(app, ["keys", "new"]).output).newest.startswith("k20")
    parse_key(RUNNER.invoke(app, ["keys", "new", "--single"]).output, "the index key")


def test_a_rotated_ring_seals_with_the_new_key_and_opens_older_values(tmp_path: Path) -> None:
    file = tmp_path / "ring"
    file.write_text(RUNNER.invoke(app, ["keys", "new", "--kid", "old"]).output)
    sealed = KeyRing.parse(file.read_text()).seal("x", "place")
    done = RUNNER.invoke(app, ["keys", "rotate", str(file), "--kid", "new"])
    assert done.exit_code == 0, done.output
    ring = KeyRing.parse(file.read_text())
    assert list(ring.keys) == ["new", "old"]
    assert ring.open(sealed, "place").get_secret_value() == "x"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for key in file.read_text().split()[1::2]:
        assert key not in done.output


def test_an_invalid_id_or_ring_is_reported_and_nothing_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "ring"
    file.write_text(RUNNER.invoke(app, ["keys", "new", "--kid", "k1"]).output)
    before = file.read_text()
    for arguments in (["keys", "rotate", str(file), "--kid", "k1"], ["keys", "rotate", str(file), "--kid", "a b"]):
        assert RUNNER.invoke(app, arguments).exit_code == 2
        assert file.read_text() == before
    assert RUNNER.invoke(app, ["keys", "new", "--kid", "not an id"]).exit_code == 2
    assert RUNNER.invoke(app, ["keys", "rotate", str(tmp_path / "none")]).exit_code == 2
    file.write_text("garbage")
    assert RUNNER.invoke(app, ["keys", "rotate", str(file)]).exit_code == 2
    assert file.read_text() == "garbage"
