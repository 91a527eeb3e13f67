"""The public certificate, read at the start and again when its files change."""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from sellergate_common.observability.logs import get_logger

CHECK_SECONDS = 5.0


class PublicCertificate:
    """A certificate chain and its key, as PEM files. New connections use the content of the last check."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._known = self._read()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(*self._files)

    async def renew(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Load changed files until cancelled. Files that do not fit together are logged once, and the old certificate stays."""
        refused = None
        while True:
            await sleep(CHECK_SECONDS)
            found = self._read()
            if found in (None, self._known, refused):
                continue
            try:
                # Into another context first: a chain without its key must not damage the one in use.
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
                self.context.load_cert_chain(*self._files)
            except OSError:  # ssl.SSLError is an OSError
                refused = found
                get_logger().error(
                    "certificate_refused",
                    file=str(self._files[0]),
                    remedy="install a certificate and the key that fits it",
                )
                continue
            self._known = found
            get_logger().info("certificate_renewed", file=str(self._files[0]))

    def _read(self) -> tuple[bytes, bytes] | None:
        try:
            return self._files[0].read_bytes(), self._files[1].read_bytes()
        except OSError:
            return None
