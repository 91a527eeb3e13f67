"""A server's own certificate: that of the service, with its key; anything else is refused by the setting's name."""

from pathlib import Path

import pytest
from sellergate_common.identity.own_certificate import check_own_certificate
from sellergate_common.settings import SettingsError, TlsSettings
from sellergate_devstack.certificates import Authority


def settings_of(ca: Path, certificate: Path, key: Path) -> TlsSettings:
    return TlsSettings(tls_ca_file=ca, tls_cert_file=certificate, tls_key_file=key)


def refusal(settings: TlsSettings, service: str = "token") -> str:
    with pytest.raises(SettingsError) as refused:
        check_own_certificate(settings, service)
    (sentence,) = refused.value.problems
    return sentence


def test_the_services_own_certificate_is_accepted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for service in ("account", "token", "edge"):
        files = authority.issue(service)
        check_own_certificate(settings_of(files.ca, files.certificate, files.key), service)


@pytest.mark.parametrize("other", ["gateway", "client/orders"])
def test_the_certificate_of_another_service_is_refused(tmp_path: Path, other: str) -> None:
    files = Authority(tmp_path).issue(other)
    assert refusal(settings_of(files.ca, files.certificate, files.key)) == (
        f"SELLERGATE_TLS_CERT_FILE: is the certificate of {other}, and this process is token;"
        " name the file of spiffe://sellergate/token"
    )


def test_another_key_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, other = authority.issue("token"), authority.issue("iam")
    assert refusal(settings_of(own.ca, own.certificate, other.key)).startswith("SELLERGATE_TLS_KEY_FILE: is not")


def test_files_that_hold_something_else_are_refused_by_their_setting(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("token")
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    assert refusal(settings_of(wrong, files.certificate, files.key)).startswith("SELLERGATE_TLS_CA_FILE: holds no PEM")
    assert refusal(settings_of(files.ca, wrong, files.key)).startswith("SELLERGATE_TLS_CERT_FILE: holds no PEM")
    assert refusal(settings_of(files.ca, files.certificate, wrong)).startswith("SELLERGATE_TLS_KEY_FILE: is not")
    folder = settings_of(files.ca, files.certificate, files.key).model_copy(update={"tls_key_file": tmp_path})
    assert refusal(folder) == "SELLERGATE_TLS_KEY_FILE: cannot be read: Is a directory"
