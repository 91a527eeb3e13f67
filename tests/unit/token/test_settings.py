"""Settings of the token service: those of rotations are checked at the start, and no secret is shown."""

import subprocess
import sys
from pathlib import Path

import pytest
from sellergate_amazon.marketplaces import marketplace_by_code
from sellergate_common.crypto.sealing import encode_key
from sellergate_common.settings import SettingsError, read_settings
from sellergate_token.settings import TokenSettings

SECRET = "s" * 43


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "any"
    file.touch()
    for name in ("CA", "CERT", "KEY"):
        monkeypatch.setenv(f"SELLERGATE_TLS_{name}_FILE", str(file))
    monkeypatch.setenv("SELLERGATE_CACHE_KEYS_TOKEN", f"k1 {encode_key(bytes(64))}")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1")


def test_webhook_secrets_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read_settings(TokenSettings).webhooks == ()
    assert read_settings(TokenSettings).rotation_queue_url is None
    file = tmp_path / "webhook-secrets"
    monkeypatch.setenv("SELLERGATE_WEBHOOK_SECRETS_FILE", str(file))
    file.write_text(f"app {SECRET}\n")
    (secret,) = read_settings(TokenSettings).webhooks
    assert (secret.application_id, secret.secret.get_secret_value()) == ("app", SECRET)
    assert SECRET not in repr(read_settings(TokenSettings))
    file.write_text(f"app {SECRET}\napp too-short\n")
    with pytest.raises(SettingsError) as caught:
        read_settings(TokenSettings)
    assert caught.value.problems[0].startswith("SELLERGATE_WEBHOOK_SECRETS: line 2 must hold")
    assert "too-short" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_queue_is_reached_by_https_or_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for url, good in (("https://sqs.example/1/q", True), ("http://127.0.0.1:9/1/q", True), ("http://a/1/q", False)):
        monkeypatch.setenv("SELLERGATE_ROTATION_QUEUE_URL", url)
        if good:
            assert read_settings(TokenSettings).rotation_queue_url == url
        else:
            with pytest.raises(SettingsError, match="SELLERGATE_ROTATION_QUEUE_URL"):
                read_settings(TokenSettings)


def test_centrals_of_single_marketplaces_are_set_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    india, ireland, america = (marketplace_by_code(code) for code in ("IN", "IE", "US"))
    assert india
    assert ireland
    assert america
    seller_central = read_settings(TokenSettings).seller_central
    assert seller_central.of(india, vendor=True) == "https://www.vendorcentral.in"
    assert seller_central.of(ireland, vendor=True) is None
    given = "in=https://vendors.example/, IE=https://vendorcentral.amazon.ie GB=http://127.0.0.1:9"
    monkeypatch.setenv("SELLERGATE_VENDOR_CENTRAL_URLS", given)
    monkeypatch.setenv("SELLERGATE_SELLER_CENTRAL_URLS", "US=https://sellers.example")
    seller_central = read_settings(TokenSettings).seller_central
    assert seller_central.of(india, vendor=True) == "https://vendors.example"
    assert seller_central.of(ireland, vendor=True) == "https://vendorcentral.amazon.ie"
    assert seller_central.of(america, vendor=True) == "https://vendorcentral.amazon.com"
    assert seller_central.of(america, vendor=False) == "https://sellers.example"
    assert seller_central.own("https://vendors.example/apps/authorize/confirm/x")
    assert not seller_central.own("https://www.vendorcentral.in/apps/authorize/confirm/x")
    monkeypatch.setenv("SELLERGATE_VENDOR_CENTRAL_URL", "http://127.0.0.1:8")
    seller_central = read_settings(TokenSettings).seller_central
    assert seller_central.of(america, vendor=True) == "http://127.0.0.1:8"
    assert seller_central.of(india, vendor=True) == "https://vendors.example"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("XX=https://a.example", "'XX' is not a marketplace code"),
        ("https://a.example", "is not a marketplace code"),
        ("IN=http://a.example", "must be an https URL"),
        ("IN=", "must be a URL with a host"),
        ("IN=https://a.example/apps", "without a path"),
        ("UK=https://a.example GB=https://b.example", "already has a URL"),
    ],
)
def test_an_invalid_central_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    for variable in ("SELLERGATE_SELLER_CENTRAL_URLS", "SELLERGATE_VENDOR_CENTRAL_URLS"):
        monkeypatch.setenv(variable, text)
        with pytest.raises(SettingsError) as caught:
            read_settings(TokenSettings)
        assert caught.value.problems[0].startswith(f"{variable}: ")
        assert problem in caught.value.problems[0]
        monkeypatch.delenv(variable)


def test_boto3_is_loaded_only_where_a_queue_is_set() -> None:
    code = "import sys, sellergate_token.__main__; sys.exit(any(name.startswith('boto') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
