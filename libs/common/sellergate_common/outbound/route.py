"""The route of outgoing HTTP: the proxy for each URL, and the authorities that verify certificates.

Channels between services and health probes do not use it: they connect directly.
"""

import ipaddress
import platform
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

LOOPBACK = "localhost,127.0.0.0/8,::1"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Route:
    """Proxies by URL scheme, hosts that are reached directly, and a file of authorities.

    `direct` has host names (subdomains included), addresses, networks and `*`, separated by commas.
    """

    proxies: Mapping[str, SecretStr]
    direct: str = LOOPBACK
    ca_bundle: Path | None = None

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy's URL for a URL, which may hold a password; None means a direct connection."""
        parts = urlsplit(url)
        proxy = self.proxies.get(parts.scheme)
        if proxy is None or self._is_direct((parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]):
            return None
        return proxy.get_secret_value()

    def tls_context(self) -> ssl.SSLContext:
        """Return the TLS context of outgoing HTTP: verified certificates, TLS 1.2 or later (Amazon's minimum since 2023-09-30)."""
        return _tls_context(self.ca_bundle)

    def _is_direct(self, host: str, port: int) -> bool:
        entries = (entry.strip().lower() for entry in self.direct.split(","))
        return any(_fits(entry, host, port) for entry in entries if entry)


@cache
def _tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return one shared context for each file of authorities: reading it takes tens of milliseconds, too long for each request."""
    context = ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _fits(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, _, number = entry.partition(":")
    name = name.removeprefix("*").removeprefix(".")
    return (not number or number == str(port)) and bool(name) and (host == name or host.endswith("." + name))


@cache
def user_agent() -> str:
    """Return the User-Agent in the form that Amazon requires (Developer Guide, "include a User-Agent header")."""
    return f"Sellergate/{version('sellergate')} (Language=Python/{platform.python_version()}; Platform={platform.system()})"


DIRECT = Route({})
"""The route without a proxy."""
