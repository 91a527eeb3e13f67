"""Mutual TLS: both ends of every connection between Sellergate's processes prove their identity."""

from dataclasses import dataclass, field
from pathlib import Path

import grpc

from sellergate_common.settings import TlsSettings

# A server's certificate names the service it is ("account.sellergate"), so that no other certificate of the same authority can
# stand in for it, wherever it is reached.
SERVER_NAME_SUFFIX = ".sellergate"


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A process's key, its certificate and the authority it trusts; PEM."""

    ca: bytes
    certificate: bytes
    key: bytes
    files: tuple[Path, Path, Path] | None = field(default=None, compare=False)
    """The files that they were read from, in this order; `renewal` yields new ones from there."""

    @classmethod
    def read(cls, settings: TlsSettings) -> "Identity":
        """Read the files of the settings. Raises OSError."""
        return cls.of(settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file)

    @classmethod
    def of(cls, ca: Path, certificate: Path, key: Path) -> "Identity":
        """Read three files. Raises OSError."""
        return cls(ca.read_bytes(), certificate.read_bytes(), key.read_bytes(), (ca, certificate, key))

    def server_configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return the certificate that a server shows, and the authority that it trusts."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.certificate)], root_certificates=self.ca)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return credentials of a client."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca, private_key=self.key, certificate_chain=self.certificate
        )
