"""Mutual TLS: every connection of ours proves who is at both ends."""

from dataclasses import dataclass

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

    @classmethod
    def read(cls, settings: TlsSettings) -> "Identity":
        """Read the files of the settings. Raises OSError."""
        return cls(
            ca=settings.tls_ca_file.read_bytes(),
            certificate=settings.tls_cert_file.read_bytes(),
            key=settings.tls_key_file.read_bytes(),
        )

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return credentials of a server that lets nobody in without a certificate of the authority."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)], root_certificates=self.ca, require_client_auth=True
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return credentials of a client."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca, private_key=self.key, certificate_chain=self.certificate
        )
