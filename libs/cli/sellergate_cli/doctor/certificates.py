"""Checks of the operator's certificate: its identity, key, authority and expiry."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sellergate_common.identity.policy import OPERATOR, SPIFFE_PREFIX
from sellergate_common.identity.tls import Identity

from sellergate_cli.doctor.finding import Finding

SOON = timedelta(days=14)
_CHECK = "certificate"


def examine(identity: Identity) -> Iterator[Finding]:
    """Check a certificate, its key and its authority."""
    try:
        own, authority = (
            x509.load_pem_x509_certificate(identity.certificate),
            x509.load_pem_x509_certificate(identity.ca),
        )
        key = load_pem_private_key(identity.key, None)
    except (ValueError, TypeError) as error:
        yield Finding(
            _CHECK, "FAILED", f"a file is not valid PEM ({type(error).__name__}); create the certificate and key again"
        )
        return
    if key.public_key() != own.public_key():
        yield Finding(
            _CHECK, "FAILED", "the key does not match the certificate; set SELLERGATE_TLS_KEY_FILE to the matching key"
        )
    try:
        own.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        yield Finding(
            _CHECK, "FAILED", "SELLERGATE_TLS_CA_FILE is not the authority that issued it; set the issuing one"
        )
    yield _named(own)
    for name, certificate in (("certificate ends", own), ("authority ends", authority)):
        yield _ending(name, certificate)


def _named(certificate: x509.Certificate) -> Finding:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    shown = ", ".join(uris) or "without an identity"
    if uris == [SPIFFE_PREFIX + OPERATOR]:
        return Finding(_CHECK, "OK", shown)
    return Finding(_CHECK, "WARNING", f"{shown}: not an operator's; commands that need one will be refused")


def _ending(check: str, certificate: x509.Certificate) -> Finding:
    now, begin, end = datetime.now(UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return Finding(check, "FAILED", f"is not valid before {begin:%Y-%m-%d %H:%M} UTC; check this machine's clock")
    if now >= end:
        return Finding(check, "FAILED", f"expired at {end:%Y-%m-%d %H:%M} UTC; issue a new one")
    return Finding(check, "OK" if end - now > SOON else "WARNING", f"{end:%Y-%m-%d}, in {(end - now).days} days")
