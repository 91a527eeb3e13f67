"""The operator's certificate: whose it is, whether the key fits, when it ends."""

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
    """Look at a certificate, its key and its authority."""
    try:
        own, authority = (
            x509.load_pem_x509_certificate(identity.certificate),
            x509.load_pem_x509_certificate(identity.ca),
        )
        key = load_pem_private_key(identity.key, None)
    except (ValueError, TypeError) as error:
        yield Finding(
            _CHECK, "FAILED", f"a file holds no PEM of its kind ({type(error).__name__}); make the files again"
        )
        return
    if key.public_key() != own.public_key():
        yield Finding(_CHECK, "FAILED", "the key is another certificate's; set SELLERGATE_TLS_KEY_FILE to its own")
    try:
        own.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        yield Finding(_CHECK, "FAILED", "the authority in SELLERGATE_TLS_CA_FILE has not issued it; set the right one")
    yield _named(own)
    for name, certificate in (("certificate ends", own), ("authority ends", authority)):
        yield _ending(name, certificate)


def _named(certificate: x509.Certificate) -> Finding:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    shown = ", ".join(uris) or "nobody"
    if uris == [SPIFFE_PREFIX + OPERATOR]:
        return Finding(_CHECK, "OK", shown)
    return Finding(_CHECK, "WARNING", f"is {shown}, not an operator's; commands that need one will be refused")


def _ending(check: str, certificate: x509.Certificate) -> Finding:
    now, begin, end = datetime.now(UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return Finding(check, "FAILED", f"is valid from {begin:%Y-%m-%d %H:%M} UTC on; is this machine's clock right?")
    if now >= end:
        return Finding(check, "FAILED", f"ended {end:%Y-%m-%d %H:%M} UTC; issue a new one")
    return Finding(check, "OK" if end - now > SOON else "WARNING", f"{end:%Y-%m-%d}, in {(end - now).days} days")
