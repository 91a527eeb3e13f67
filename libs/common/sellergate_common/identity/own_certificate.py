"""A server's check of its own certificate before it starts: a file of another service ends the start with one sentence."""

import ssl
from typing import TypeVar

from cryptography import x509

from sellergate_common.identity.policy import SPIFFE_PREFIX
from sellergate_common.identity.tls import Identity
from sellergate_common.settings import SettingsError, TlsSettings, refuse

_CA, _CERTIFICATE, _KEY = (f"SELLERGATE_TLS_{name}_FILE" for name in ("CA", "CERT", "KEY"))


_Settings = TypeVar("_Settings", bound=TlsSettings)


def with_own_certificate(settings: _Settings, service: str) -> _Settings:
    """Return the settings of `service`, or print the fault of its certificate's files and exit with code 2."""
    try:
        check_own_certificate(settings, service)
    except SettingsError as error:
        refuse(error)
    return settings


def check_own_certificate(settings: TlsSettings, service: str) -> None:
    """Check that the files hold an authority, and the certificate of `service` with its key.

    Raises SettingsError whose sentence names the setting. Without the check, other services would refuse every connection.
    """
    try:
        identity = Identity.read(settings)
    except OSError as error:
        raise SettingsError([f"{_of(settings, error.filename)}: cannot be read: {error.strerror}"]) from None
    _certificates(_CA, identity.ca)
    own = _certificates(_CERTIFICATE, identity.certificate)[0]
    uris, wanted = _uris(own), SPIFFE_PREFIX + service
    if wanted not in uris:
        names = ", ".join(uri.removeprefix(SPIFFE_PREFIX) for uri in uris) or "no identity"
        raise SettingsError(
            [f"{_CERTIFICATE}: is the certificate of {names}, and this process is {service}; name the file of {wanted}"]
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert_file, settings.tls_key_file, password=_refuse_password
        )
    except (ssl.SSLError, ValueError):
        raise SettingsError(
            [f"{_KEY}: is not the private key, without a password, of the certificate in {_CERTIFICATE}"]
        ) from None


def _refuse_password() -> str:
    raise ValueError("the key has a password")


def _of(settings: TlsSettings, file: object) -> str:
    """Return the setting that names a file."""
    return {str(settings.tls_cert_file): _CERTIFICATE, str(settings.tls_key_file): _KEY}.get(str(file), _CA)


def _certificates(setting: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise SettingsError([f"{setting}: holds no PEM certificate; name the file of one"]) from None


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)
