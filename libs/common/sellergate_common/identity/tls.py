"""Mutual TLS: client and server of every connection between Sellergate's processes prove their identity."""

from dataclasses import dataclass, field
from pathlib import Path

import grpc

from sellergate_common.settings import TlsSettings

# A server's certificate names its service ("account.sellergate"), so that no other certificate of the same authority
# can impersonate it at any address.
SERVER_NAME_SUFFIX = ".sellergate"


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A process's key, its certificate and the authority that it trusts, in PEM."""

    ca: bytes
    certificate: bytes
    key: bytes
    files: tuple[Path, Path, Path] | None = field(default=None, compare=False)
    """The files of key, certificate and authority, in this order; `renewal` reads them again."""

    @classmethod
    def read(cls, settings: TlsSettings) -> "Identity":
        """Read the files of the settings. Raises OSError."""
        return cls.of(settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file)

    @classmethod
    def of(cls, ca: Path, certificate: Path, key: Path) -> "Identity":
        """Read three files. Raises OSError."""
        return cls(ca.read_bytes(), certificate.read_bytes(), key.read_bytes(), (ca, certificate, key))

    def server_configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return the certificate that a server presents, and the authority that it trusts."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.certificate)], root_certificates=self.ca)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return client credentials."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca, private_key=self.key, certificate_chain=self.certificate
        )
