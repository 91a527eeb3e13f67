"""Settings of outgoing HTTP. The defaults are the environment variables that other programs use too."""

import os
from typing import Annotated, Self

from pydantic import AfterValidator, FilePath, SecretStr, model_validator

from sellergate_common.outbound.route import LOOPBACK, Route
from sellergate_common.settings import Settings, url_parts


def _proxy(url: SecretStr) -> SecretStr:
    parts = url_parts(url.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("must be a URL of a proxy, as in http://user:password@proxy.example.com:3128")
    return url


class OutboundSettings(Settings):
    """The proxy and the authorities of every HTTP request to the Internet."""

    outbound_proxy: Annotated[SecretStr, AfterValidator(_proxy)] | None = None
    """The proxy for http and https URLs; by default that of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, also in lower case."""
    outbound_no_proxy: str | None = None
    """Hosts that are reached directly; by default those of NO_PROXY, and loopback."""
    outbound_ca_bundle: FilePath | None = None
    """PEM file of authorities in place of the system's; by default that of SSL_CERT_FILE."""

    @model_validator(mode="after")
    def _can_read_the_environment(self) -> Self:
        _ = self.outbound
        return self

    @property
    def outbound(self) -> Route:
        """The route of outgoing HTTP."""
        direct = self.outbound_no_proxy or ",".join(filter(None, (_variable("NO_PROXY"), LOOPBACK)))
        proxies = {scheme: self.outbound_proxy or _of_environment(scheme) for scheme in ("http", "https")}
        found = {scheme: proxy for scheme, proxy in proxies.items() if proxy is not None}
        return Route(found, direct, self.outbound_ca_bundle)


def _of_environment(scheme: str) -> SecretStr | None:
    url = _variable(f"{scheme.upper()}_PROXY") or _variable("ALL_PROXY")
    if not url:
        return None
    url = url if "://" in url else f"http://{url}"
    try:
        url_parts(url)
    except ValueError as error:
        raise ValueError(
            f"HTTPS_PROXY, HTTP_PROXY or ALL_PROXY: {error}, as in http://proxy.example.com:3128"
        ) from None
    return SecretStr(url)


def _variable(name: str) -> str:
    return os.environ.get(name.lower()) or os.environ.get(name) or ""
