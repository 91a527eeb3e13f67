"""Settings of outgoing HTTP: Sellergate's own, then those of the environment."""

from pathlib import Path

import pytest
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.settings import SettingsError, read_settings

NAMES = [
    name
    for upper in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
    for name in (upper, upper.lower(), f"SELLERGATE_OUTBOUND_{upper.partition('_')[2]}")
]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*NAMES, "SELLERGATE_OUTBOUND_NO_PROXY"]:
        monkeypatch.delenv(name, raising=False)


def proxy_for(url: str) -> str | None:
    return read_settings(OutboundSettings).outbound.proxy_for(url)


def test_without_settings_every_connection_is_direct() -> None:
    assert proxy_for("https://api.amazon.com") is None


def test_the_proxy_of_the_environment_is_used_by_scheme_and_never_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.test:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://plain.test:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,inside.test,2001:db8::/32")
    assert proxy_for("https://api.amazon.com/auth") == "http://proxy.test:3128"
    assert proxy_for("http://api.amazon.com/auth") == "http://plain.test:3128"
    for url in (
        "http://127.0.0.1:3900",
        "http://localhost:3900",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://a.inside.test",
        "https://[2001:db8::1]/",
    ):
        assert proxy_for(url) is None
    assert proxy_for("https://notinside.test") == "http://proxy.test:3128"


def test_sellergates_own_settings_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://environment.test")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("SELLERGATE_OUTBOUND_PROXY", "http://user:password@own.test:3128")
    assert proxy_for("https://api.amazon.com") is None, "NO_PROXY holds until SELLERGATE_OUTBOUND_NO_PROXY is set"
    monkeypatch.setenv("SELLERGATE_OUTBOUND_NO_PROXY", "direct.test")
    assert proxy_for("https://api.amazon.com") == "http://user:password@own.test:3128"
    assert proxy_for("http://127.0.0.1:1") == "http://user:password@own.test:3128", "loopback is not in the list"
    assert "password" not in repr(read_settings(OutboundSettings)) + repr(read_settings(OutboundSettings).outbound)


@pytest.mark.parametrize("url", ["socks5://x.test", "proxy.test:3128", "http://", "http://x.test/path"])
def test_an_invalid_proxy_is_refused_without_its_value(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SELLERGATE_OUTBOUND_PROXY", url)
    with pytest.raises(SettingsError, match="SELLERGATE_OUTBOUND_PROXY: must be a URL of a proxy"):
        read_settings(OutboundSettings)


def test_a_bundle_of_authorities_must_be_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SELLERGATE_OUTBOUND_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="SELLERGATE_OUTBOUND_CA_BUNDLE"):
        read_settings(OutboundSettings)


@pytest.mark.parametrize("variable", ["SELLERGATE_OUTBOUND_PROXY", "HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "url", ["http://[u:hunter2@proxy.test", "http://u:hunter2@proxy.test:x", "http://u@p.test:hunter2"]
)
def test_an_unreadable_proxy_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(SettingsError, match="must be a URL") as caught:
        read_settings(OutboundSettings)
    assert variable.upper() in str(caught.value)
    assert "hunter2" not in str(caught.value)
