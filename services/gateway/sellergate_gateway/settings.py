"""Settings of the gateway."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator
from sellergate_amazon.operations import BUNDLED, Catalogue
from sellergate_common.crypto.sealing import KeyRing, ring_text
from sellergate_common.identity.operator_settings import OperatorSettings
from sellergate_common.identity.policy import Access
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.settings import CacheSettings, CopySettings, Port, ServerSettings, names, secure_url
from sellergate_common.site_settings import SiteSettings

# The hosts of Amazon's presigned addresses are those of S3 and its CDN (observed in its guides and in threads).
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_HOST_PATTERN = re.compile(r"[A-Za-z0-9*.-]{3,253}")
DOCUMENT_HOSTS = "*.amazonaws.com,*.cloudfront.net"


class GatewaySettings(ServerSettings, CacheSettings, CopySettings, SiteSettings, OutboundSettings, OperatorSettings):
    """The addresses of the services and of Amazon, and the keys of the shared caches."""

    gateway_port: Port = 50054
    account_target: str = "127.0.0.1:50051"
    token_target: str = "127.0.0.1:50052"
    iam_target: str = "127.0.0.1:50053"
    cache_keys_token: Annotated[
        SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")
    ]
    cache_keys_credentials: Annotated[
        SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")
    ]
    interactive_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """The share of each bucket that BATCH calls leave free."""
    token_callers: str = ""
    """Internal services ("client/billing, client/reports") that may call GetRestrictedDataToken."""
    document_hosts: str = DOCUMENT_HOSTS
    """The hosts of documents: patterns of host names, and whole origins on loopback, separated by commas."""
    quota_mode: Literal["shared", "local", "shadow"] = "shared"
    """The mode of quota: in Redis for all replicas; in this process, for a single replica; in Redis without any wait (shadow)."""

    catalogue: Path = BUNDLED
    """The catalogue file; default: this release's own. `sellergate catalogue make` writes a newer one."""

    @field_validator("catalogue")
    @classmethod
    def _is_catalogue(cls, file: Path) -> Path:
        Catalogue.read(file)
        return file

    @field_validator("document_hosts")
    @classmethod
    def _hosts(cls, value: str) -> str:
        for host in filter(None, map(str.strip, value.split(","))):
            if "://" in host:
                parts = urlsplit(secure_url(host))
                if parts.hostname not in _LOOPBACK or parts.path.strip("/") or parts.query:
                    raise ValueError(f"{host} must be a pattern of host names; whole origins are for loopback only")
            elif not _HOST_PATTERN.fullmatch(host):
                raise ValueError(f"{host} must be a pattern of host names such as *.amazonaws.com")
        return value

    @property
    def document_servers(self) -> tuple[str, ...]:
        """The patterns and origins in document_hosts."""
        return tuple(host.strip().rstrip("/") for host in self.document_hosts.split(",") if host.strip())

    @property
    def access(self) -> Access:
        """The methods that the identities in token_callers may call in addition to the policy."""
        return Access({"sellergate.gateway.v1.GatewayService/GetRestrictedDataToken": names(self.token_callers)})

    @property
    def token_ring(self) -> KeyRing:
        """The keys of the token cache; they also name the buckets of quota."""
        return KeyRing.parse(self.cache_keys_token.get_secret_value())

    @property
    def credentials_ring(self) -> KeyRing:
        """The keys of the credentials cache."""
        return KeyRing.parse(self.cache_keys_credentials.get_secret_value())
