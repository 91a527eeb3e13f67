"""`sellergate certificates`: the key and certificate of an internal service that calls Sellergate."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sellergate_common.identity.policy import SPIFFE_PREFIX
from sellergate_common.settings import Settings, read_settings

from sellergate_cli.operator import StateDir, fail
from sellergate_cli.options import examples
from sellergate_cli.terminal import say

_NAME = re.compile(r"client/[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_BACKDATED = timedelta(minutes=5)
_LOCAL_AUTHORITY = Path("certificates") / "ca.pem"

app = typer.Typer(help="Create keys and certificates of internal services.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the name of the only command."""


@app.command(
    epilog=examples(
        "sellergate certificates new client/orders",
        "sellergate certificates new client/orders --sign-with ca.pem --output /etc/orders",
    )
)
def new(
    name: Annotated[str, typer.Argument(metavar="client/NAME", help="Identity of the service, such as client/orders.")],
    sign_with: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Certificate of the authority that signs (PEM), with its key beside it (.key); defaults to a local run's.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=398, help="Life of the certificate in days.")] = 90,
    output: Annotated[Path, typer.Option(file_okay=False, help="Folder of the new files.")] = Path(),
    state_dir: StateDir = None,
) -> None:
    """Create a key and a certificate with which a service may call SP-API and read accounts, and nothing else.

    Without an authority, the command creates a signing request (.csr) instead of the certificate. The key is readable only by you.
    """
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} must be client/NAME, with lower-case letters, digits and '-' in NAME")
    stem = output / name.replace("/", "-")
    key_file = stem.with_name(f"{stem.name}.key")
    if key_file.exists():
        fail(f"{key_file} exists. Remove it to replace this identity's key, or name another folder with --output.")
    authority = sign_with or _local_authority(state_dir)
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _sign(name, key, authority, timedelta(days=days)) if authority else _request(name, key)
    public_file = stem.with_name(f"{stem.name}.{'pem' if authority else 'csr'}")
    try:
        output.mkdir(parents=True, exist_ok=True)
        _write_private(key_file, key)
        public_file.write_bytes(signed)
    except OSError as error:
        key_file.unlink(missing_ok=True)  # a key without its certificate would refuse the next try
        fail(f"Cannot write {error.filename}: {error.strerror}.")
    if authority is None:
        say(
            f"Created {key_file} and {public_file}. Let Sellergate's authority sign the request, with its URI.",
            err=True,
        )
        return
    end = x509.load_pem_x509_certificate(signed).not_valid_after_utc
    say(
        f"Created {key_file} and {public_file}, valid until {end:%Y-%m-%d %H:%M} UTC. Settings of the service:",
        err=True,
    )
    say(f"SELLERGATE_TLS_CA_FILE={authority.resolve()}")
    say(f"SELLERGATE_TLS_CERT_FILE={public_file.resolve()}")
    say(f"SELLERGATE_TLS_KEY_FILE={key_file.resolve()}")


def _local_authority(state_dir: Path | None) -> Path | None:
    """Return the certificate of a local run's authority, if there is one."""
    file = (state_dir or read_settings(Settings).state_dir) / _LOCAL_AUTHORITY
    return file if file.exists() else None


def _names(name: str) -> tuple[x509.Name, x509.SubjectAlternativeName]:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return subject, x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"{SPIFFE_PREFIX}{name}")])


def _request(name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    subject, names = _names(name)
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _sign(name: str, key: ec.EllipticCurvePrivateKey, authority: Path, life: timedelta) -> bytes:
    """Return a certificate for a client only: it cannot serve, and it cannot sign."""
    own, own_key = _read_authority(authority)
    if own.not_valid_after_utc <= datetime.now(UTC):
        fail(f"The authority {authority} ended on {own.not_valid_after_utc:%Y-%m-%d}. Give one that is valid.")
    subject, names = _names(name)
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(own.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + life, own.not_valid_after_utc))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own_key.public_key()), critical=False)
        .sign(own_key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM)


def _read_authority(file: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key_file = file.with_suffix(".key")
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        fail(
            f"Cannot read the authority {file} and its key {key_file} ({type(error).__name__}). Both must be PEM files."
        )
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        fail(f"{key_file} is not the elliptic-curve key of {file}. Give the authority's certificate and its own key.")
    return certificate, key


def _write_private(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a new file that only its owner can read."""
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
