"""The certificate authority of the local run, and an identity for every process."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=90)
RENEW_BEFORE = timedelta(days=7)
_BACKDATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """The PEM files of a process's key, its certificate and the authority."""

    ca: Path
    certificate: Path
    key: Path


class Authority:
    """The authority in `folder`, created when it is missing or about to expire."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.certificate_file = folder / "ca.pem"
        self._key_file = folder / "ca.key"
        if not _is_fresh(self.certificate_file) or not self._key_file.exists():
            self._make()
        self._certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._key_file} does not hold an elliptic-curve key")
        self._key = key

    def issue(self, name: str) -> IdentityFiles:
        """Return the files of identity `name` ("account", "client/demo"); create them when missing or about to expire."""
        stem = name.replace("/", "-")
        files = IdentityFiles(self.certificate_file, self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        if not (files.key.exists() and _is_fresh(files.certificate) and self._sign_file(files.certificate)):
            key = ec.generate_private_key(ec.SECP256R1())
            _write_private(files.key, _key_pem(key))
            files.certificate.write_bytes(_certificate_pem(self._sign(name, key)))
        return files

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sellergate local authority")])
        certificate = (
            _certificate_builder(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_private(self._key_file, _key_pem(key))
        self.certificate_file.write_bytes(_certificate_pem(certificate))

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        host = name.rpartition("/")[2]
        names = [
            x509.UniformResourceIdentifier(f"spiffe://sellergate/{name}"),
            *(
                x509.DNSName(dns)
                for dns in (f"{host}.sellergate", host, "localhost")
                if "/" not in name or dns == "localhost"
            ),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        return (
            _certificate_builder(subject, self._certificate.subject, key)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _sign_file(self, file: Path) -> bool:
        """Return whether this authority signed a certificate."""
        try:
            x509.load_pem_x509_certificate(file.read_bytes()).verify_directly_issued_by(self._certificate)
        except Exception:  # noqa: BLE001  (the library raises many kinds; any of them means a file of another origin)
            return False
        return True


def _certificate_builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + LIFE)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _is_fresh(file: Path) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return False
    return certificate.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(content)
