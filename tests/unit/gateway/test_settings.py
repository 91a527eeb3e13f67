"""Settings of the gateway: the addresses of Amazon, the document hosts, and the catalogue."""

import base64
from pathlib import Path

import pytest
from sellergate_amazon.catalogue_file import read_rows, text_of
from sellergate_amazon.operations import BUNDLED, Catalogue
from sellergate_common.errors import NotAllowed
from sellergate_common.settings import SettingsError, read_settings
from sellergate_gateway.settings import GatewaySettings

RING = "k1 " + base64.urlsafe_b64encode(b"x" * 64).decode()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CA", "CERT", "KEY"):
        monkeypatch.setenv(f"SELLERGATE_TLS_{name}_FILE", __file__)
    monkeypatch.setenv("SELLERGATE_CACHE_KEYS_TOKEN", RING)
    monkeypatch.setenv("SELLERGATE_CACHE_KEYS_CREDENTIALS", RING)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")


def test_the_default_addresses_are_amazons() -> None:
    settings = read_settings(GatewaySettings)
    assert settings.production == {
        region: f"https://sellingpartnerapi-{region.lower()}.amazon.com" for region in ("NA", "EU", "FE")
    }
    assert settings.sandbox["FE"] == "https://sandbox.sellingpartnerapi-fe.amazon.com"


def test_a_regions_own_address_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_SPAPI_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("SELLERGATE_SPAPI_ENDPOINT_EU", "https://eu.test")
    monkeypatch.setenv("SELLERGATE_SPAPI_SANDBOX_ENDPOINT", "http://localhost:2")
    settings = read_settings(GatewaySettings)
    assert settings.production == {"NA": "http://127.0.0.1:1", "EU": "https://eu.test", "FE": "http://127.0.0.1:1"}
    assert set(settings.sandbox.values()) == {"http://localhost:2"}


def test_all_invalid_settings_are_reported_together_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_SPAPI_ENDPOINT_NA", "http://amazon.test")
    monkeypatch.setenv("SELLERGATE_CACHE_KEYS_TOKEN", "k1 secretsecret")
    monkeypatch.setenv("SELLERGATE_INTERACTIVE_SHARE", "1")
    with pytest.raises(SettingsError) as caught:
        read_settings(GatewaySettings)
    fields = {problem.partition(":")[0] for problem in caught.value.problems}
    assert fields == {
        "SELLERGATE_SPAPI_ENDPOINT_NA",
        "SELLERGATE_CACHE_KEYS_TOKEN",
        "SELLERGATE_INTERACTIVE_SHARE",
    }
    assert "secretsecret" not in str(caught.value)


@pytest.mark.parametrize("value", ["http://evil.example", "https://10.0.0.1", "http://127.0.0.1/x", "a b", "ht!tp"])
def test_settings_that_would_disable_the_guard_of_documents_are_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELLERGATE_DOCUMENT_HOSTS", f"*.amazonaws.com,{value}")
    with pytest.raises(SettingsError) as caught:
        read_settings(GatewaySettings)
    assert any("SELLERGATE_DOCUMENT_HOSTS" in problem for problem in caught.value.problems)


def test_document_hosts_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(GatewaySettings).document_servers == ("*.amazonaws.com", "*.cloudfront.net")
    monkeypatch.setenv("SELLERGATE_DOCUMENT_HOSTS", " http://127.0.0.1:3900/ , *.amazonaws.com,")
    assert read_settings(GatewaySettings).document_servers == ("http://127.0.0.1:3900", "*.amazonaws.com")


def test_services_that_may_get_tokens_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    method = "sellergate.gateway.v1.GatewayService/GetRestrictedDataToken"
    monkeypatch.setenv("SELLERGATE_TOKEN_CALLERS", "client/labels, client/tax")
    access = read_settings(GatewaySettings).access
    access.check(method, "client/labels")
    access.check(method, "client/tax")
    for name in ("client/other", "client/labels2", "token", "gateway", "iam", "account"):
        with pytest.raises(NotAllowed):
            access.check(method, name)


def test_a_configured_catalogue_is_checked_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read_settings(GatewaySettings).catalogue == BUNDLED
    rows = read_rows(BUNDLED)
    file = tmp_path / "catalogue.json"
    file.write_text(text_of([{**rows[0], "name": "new/v1/x", "path": "/new/v1/x"}, *rows]), "utf-8")
    monkeypatch.setenv("SELLERGATE_CATALOGUE", str(file))
    assert Catalogue.read(read_settings(GatewaySettings).catalogue).match(rows[0]["method"], "/new/v1/x")
    file.write_text(text_of([{**rows[0], "rate": -1}]), "utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(GatewaySettings)
    (problem,) = caught.value.problems
    assert problem.startswith(f"SELLERGATE_CATALOGUE: {file}: entry 1 ({rows[0]['name']}): rate must be a number")


@pytest.mark.parametrize("given", ["0", "-1", "many", "10000001"])
def test_a_number_of_copies_out_of_range_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SELLERGATE_ACCOUNT_COPIES", given)
    with pytest.raises(SettingsError, match="SELLERGATE_ACCOUNT_COPIES"):
        read_settings(GatewaySettings)
