"""Settings: every fault at once, secrets from files, and no value in a message."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, Field, SecretStr
from sellergate_common.crypto.sealing import ring_text
from sellergate_common.settings import Port, Settings, SettingsError, read_settings, secure_url, secure_url_with_query


class Example(Settings):
    example_port: Port = 50051
    example_url: Annotated[str, AfterValidator(secure_url)] = "https://api.amazon.com/auth/o2/token"
    keys: Annotated[SecretStr, AfterValidator(ring_text)]
    cache_url: SecretStr = Field(validation_alias="CACHE_URL")


GOOD_RING = "k1 " + "A" * 86


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SELLERGATE_EXAMPLE_PORT",
        "SELLERGATE_EXAMPLE_URL",
        "SELLERGATE_KEYS",
        "CACHE_URL",
        "SELLERGATE_LOG_LEVEL",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name + "_FILE", raising=False)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_KEYS", GOOD_RING)
    monkeypatch.setenv("CACHE_URL", "redis://x")
    monkeypatch.setenv("SELLERGATE_EXAMPLE_PORT", "1234")
    settings = read_settings(Example)
    assert (settings.example_port, settings.cache_url.get_secret_value()) == (1234, "redis://x")


def test_secrets_come_from_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ring").write_text(GOOD_RING + "\n")
    (tmp_path / "url").write_text("redis://from-file\n")
    monkeypatch.setenv("SELLERGATE_KEYS_FILE", str(tmp_path / "ring"))
    monkeypatch.setenv("CACHE_URL_FILE", str(tmp_path / "url"))
    settings = read_settings(Example)
    assert settings.keys.get_secret_value() == GOOD_RING
    assert settings.cache_url.get_secret_value() == "redis://from-file"


def test_all_faults_are_reported_at_once_by_variable_and_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_KEYS", "k1 hunter2hunter2")
    monkeypatch.setenv("SELLERGATE_EXAMPLE_PORT", "99999")
    monkeypatch.setenv("SELLERGATE_EXAMPLE_URL", "http://lwa.example.com/hunter2")
    with pytest.raises(SettingsError) as caught:
        read_settings(Example)
    problems = "\n".join(caught.value.problems)
    for variable in ("SELLERGATE_KEYS", "SELLERGATE_EXAMPLE_PORT", "SELLERGATE_EXAMPLE_URL", "CACHE_URL"):
        assert any(problem.startswith(variable + ":") for problem in caught.value.problems), problems
    assert "hunter2" not in problems


def test_a_missing_file_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_KEYS_FILE", "/nowhere/ring")
    with pytest.raises(SettingsError, match="SELLERGATE_KEYS_FILE: cannot be read"):
        read_settings(Example)


@pytest.mark.parametrize("url", ["https://a.example", "http://127.0.0.1:1/x", "http://localhost:1", "http://[::1]:1"])
def test_good_urls(url: str) -> None:
    assert secure_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["http://a.example", "ftp://127.0.0.1", "https://", "https://u:p@a.example", "https://a.example/?x=1", "nonsense"],
)
def test_bad_urls(url: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        secure_url(url)


@pytest.mark.parametrize(
    "url", ["https://[u:hunter2@a", "https://u:hunter2@a:b/", "https://a:hunter2", "https://a\u2100hunter2"]
)
@pytest.mark.parametrize("check", [secure_url, secure_url_with_query])
def test_a_refused_url_is_not_repeated(check: Callable[[str], str], url: str) -> None:
    with pytest.raises(ValueError, match="must be a URL") as caught:
        check(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
