"""New identities of internal services: least privilege, a private key, and an authority of a local run or of a file."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from sellergate_cli.__main__ import app
from sellergate_devstack.certificates import Authority
from typer.testing import CliRunner, Result


def run(folder: Path, *words: str) -> Result:
    command = ["certificates", "new", *words, "--output", str(folder), "--state-dir", str(folder / "state")]
    return CliRunner().invoke(app, command)


def test_a_local_runs_authority_signs_a_client_and_nothing_more(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "state" / "certificates")
    done = run(tmp_path, "client/orders", "--days", "30")
    assert done.exit_code == 0, done.output
    key_file, file = tmp_path / "client-orders.key", tmp_path / "client-orders.pem"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_file.read_bytes()))
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    extensions = certificate.extensions
    (name,) = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert name.value == "spiffe://sellergate/client/orders"
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 30
    assert f"SELLERGATE_TLS_CERT_FILE={file}" in done.stdout
    again = run(tmp_path, "client/orders")
    assert again.exit_code == 1
    assert "exists" in again.output
    assert x509.load_pem_x509_certificate(file.read_bytes()) == certificate


def test_a_named_authority_signs(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "other")
    done = run(tmp_path, "client/orders", "--sign-with", str(authority.certificate_file))
    assert done.exit_code == 0, done.output
    certificate = x509.load_pem_x509_certificate((tmp_path / "client-orders.pem").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_file.read_bytes()))


def test_without_an_authority_there_is_a_request(tmp_path: Path) -> None:
    done = run(tmp_path, "client/orders")
    assert done.exit_code == 0, done.output
    request = x509.load_pem_x509_csr((tmp_path / "client-orders.csr").read_bytes())
    assert request.is_signature_valid
    (name,) = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert name.value == "spiffe://sellergate/client/orders"


@pytest.mark.parametrize("name", ["operator", "edge", "client/", "client/*", "client/a/b", "client/Orders", "orders"])
def test_only_clients_get_a_certificate(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, name)
    assert done.exit_code == 2
    assert "client/NAME" in done.output
    assert not list(tmp_path.glob("*.key"))


def test_another_authoritys_key_is_refused(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "one"), Authority(tmp_path / "other")
    authority.certificate_file.with_suffix(".key").write_bytes(other.certificate_file.with_suffix(".key").read_bytes())
    done = run(tmp_path, "client/orders", "--sign-with", str(authority.certificate_file))
    assert done.exit_code == 1
    assert "is not the elliptic-curve key" in done.output
    assert not list(tmp_path.glob("client-*"))
