"""The settings of the account database: a PostgreSQL on another machine is reached over TLS that verifies its certificate."""

from pathlib import Path

import pytest
from sellergate_account.settings import DatabaseSettings
from sellergate_common.settings import SettingsError, read_settings

REMOTE = (
    "postgresql://u:p@db/accounts",
    "postgresql://u:p@10.0.0.7:5432/accounts?sslmode=require",
    "postgresql://u:p@db/accounts?sslmode=prefer",
    "postgresql://u:p@localhost/accounts?host=db",
    "postgresql:///accounts?host=/run/postgresql&host=db:5432",
    "postgresql:///accounts?host=/run/postgresql,db",
    "postgresql://localhost/accounts?hostaddr=10.0.0.7",
    "postgresql:///accounts?service=elsewhere",
)
NEAR = (
    "postgresql://u:p@localhost/accounts",
    "postgresql://u:p@127.0.0.1:5432/accounts",
    "postgresql://u:p@[::1]/accounts",
    "postgresql:///accounts",
    "postgresql:///accounts?host=/run/postgresql",
    "postgresql:///accounts?host=127.0.0.1:5432",
    "sqlite:////data/accounts.sqlite",
    "postgresql://u:p@db/accounts?sslmode=verify-full&sslrootcert=system",
    "postgresql://u:p@db/accounts?sslmode=verify-ca&sslrootcert=/run/ca.pem",
)


@pytest.mark.parametrize("url", REMOTE)
def test_another_machine_is_refused_without_checked_tls(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="SELLERGATE_DATABASE_ALLOW_PLAIN=true") as caught:
        read_settings(DatabaseSettings)
    assert caught.value.problems[0].startswith("DATABASE_URL: must have ?sslmode=verify-full")
    assert "10.0.0.7" not in str(caught.value)
    monkeypatch.setenv("SELLERGATE_DATABASE_ALLOW_PLAIN", "true")
    assert read_settings(DatabaseSettings).database == url


@pytest.mark.parametrize("url", NEAR)
def test_this_machine_and_checked_tls_are_accepted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert read_settings(DatabaseSettings).database == url


@pytest.mark.parametrize(
    "environment",
    [
        {"PGHOST": "db"},
        {"PGHOST": "localhost,10.0.0.7"},
        {"PGHOSTADDR": "10.0.0.7"},
        {"PGHOST": "db", "PGSSLMODE": "require"},
        {"PGSERVICE": "elsewhere"},
    ],
)
@pytest.mark.parametrize("url", ["postgresql:///accounts", "postgresql://u:p@/accounts"])
def test_another_machine_that_the_environment_names_is_refused_too(
    url: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "services").write_text("[elsewhere]\nhost=db\nsslmode=disable\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    for name, value in {**environment, "DATABASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="PGHOST, PGHOSTADDR or a service file"):
        read_settings(DatabaseSettings)
    monkeypatch.setenv("SELLERGATE_DATABASE_ALLOW_PLAIN", "true")
    assert read_settings(DatabaseSettings)


def test_an_environment_that_checks_certificates_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGHOST": "db", "PGSSLMODE": "verify-full", "DATABASE_URL": "postgresql:///accounts"}.items():
        monkeypatch.setenv(name, value)
    assert read_settings(DatabaseSettings)
    monkeypatch.setenv("PGSSLMODE", "prefer")
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    assert read_settings(DatabaseSettings)
