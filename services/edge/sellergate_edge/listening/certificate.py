"""The public certificate: read at the start, and again whenever its files change."""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from sellergate_common.observability.logs import get_logger

LOOK_SECONDS = 5.0


class PublicCertificate:
    """A certificate chain and its key, as PEM files. New connections see what the files held at the last look."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._known = self._read()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(*self._files)

    async def renew(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Take up new files until cancelled. What does not fit together is reported once, and the old one stays."""
        refused = None
        while True:
            await sleep(LOOK_SECONDS)
            found = self._read()
            if found in (None, self._known, refused):
                continue
            try:
                # First elsewhere: a chain whose key does not fit must not spoil the one in use.
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
                self.context.load_cert_chain(*self._files)
            except OSError:  # ssl.SSLError is an OSError
                refused = found
                get_logger().error("certificate_refused", file=str(self._files[0]), set="another, with its key")
                continue
            self._known = found
            get_logger().info("certificate_renewed", file=str(self._files[0]))

    def _read(self) -> tuple[bytes, bytes] | None:
        try:
            return self._files[0].read_bytes(), self._files[1].read_bytes()
        except OSError:
            return None
