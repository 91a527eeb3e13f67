"""Invalid options of `sellergate import-legacy` end it before the account service is called."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sellergate_cli.__main__ import app
from sellergate_cli.legacy.rows import COLUMNS
from typer.testing import CliRunner

from tests.fakes.legacy import KEYS, PASSPHRASE, WRITERS, sealed

NO_SERVICE = {"SELLERGATE_ACCOUNT_TARGET": "", "SELLERGATE_TLS_CA_FILE": "", "TERMINAL_WIDTH": "400"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a former database with one row, under a key from scrypt."""
    key = next(key for _, key_from, key in KEYS if key_from == "scrypt:salt")
    write = WRITERS[0][1]
    with closing(sqlite3.connect(tmp_path / "former.db")) as database, database:
        database.execute(f"CREATE TABLE amazon_accounts ({', '.join(COLUMNS)})")
        values = [write(*sealed(key, name)) for name in COLUMNS]
        database.execute(f"INSERT INTO amazon_accounts VALUES ({', '.join('?' * len(COLUMNS))})", values)
    return f"file:{tmp_path / 'former.db'}"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 1, "--key-from sha256, --key-from scrypt:SALT or --key-from pad"),
        (["--key-from", "md5"], 2, "use sha256, scrypt:SALT or pad"),
        (["--key-from", "sha256"], 1, "probably the wrong one"),
        (["--key-from", "scrypt:pepper"], 1, "probably the wrong one"),
        (["--key-from", "pad", "--column", "x=y"], 2, "FORMER=COLUMN"),
        (["--key-from", "pad", "--column", "x=userId"], 1, "has no column x"),
        (["--key-from", "pad", "--table", "Nothing"], 1, 'no table "Nothing"'),
        (["--key-from", "pad", "--application", "x", "--own-applications"], 2, "exclude each other"),
    ],
)
def test_options_that_cannot_work_say_what_to_do(
    url: str, tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    report = tmp_path / "report"
    command = ["import-legacy", "--database-url", url, "--yes", "--report", str(report), *options]
    done = CliRunner().invoke(app, command, env=NO_SERVICE | {"SELLERGATE_LEGACY_KEY": PASSPHRASE})
    assert done.exit_code == code, done.output
    assert words in " ".join(done.output.replace("│", " ").split())
    assert PASSPHRASE not in done.output
    assert not report.exists()
