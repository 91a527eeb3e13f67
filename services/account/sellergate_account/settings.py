"""Settings of the account service."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from psycopg import pq
from pydantic import AfterValidator, Field, SecretStr, model_validator
from sellergate_common.crypto.wrapping import SingleUse, wrapped_key_text, wrapped_ring_text
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.settings import CacheSettings, Port, ServerSettings, Settings, is_loopback
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sellergate_account.model import DEFAULT_LIMITS, Limits

# libpq's modes that look at the server's certificate; `require` encrypts without checking which server responds.
_CHECKED_TLS = frozenset({"verify-ca", "verify-full"})
ADVICE = (
    "must have ?sslmode=verify-full and sslrootcert=<file>, since it names another machine (or PGHOST, PGHOSTADDR or a service file"
    " does); SELLERGATE_DATABASE_ALLOW_PLAIN=true allows a connection without TLS"
)
SINGLE_KEYS = {"index_key": SingleUse.INDEX_KEY, "audit_key": SingleUse.AUDIT_KEY}
"""The settings that hold one key, and what KMS binds each to."""


def _database(url: SecretStr | None) -> SecretStr | None:
    if url is None:
        return None
    try:
        backend = make_url(url.get_secret_value()).get_backend_name()
    except ArgumentError:
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        raise ValueError("must be postgresql://… or sqlite:///…")
    return url


def is_near_or_checked(given: Mapping[str, Any]) -> bool:
    """Return whether libpq reaches only this machine, or checks certificates, with the parameters that are `given`.

    libpq takes what is not given from the environment (PGHOST, PGHOSTADDR, PGSSLMODE) and from a service file (PGSERVICE).
    """
    defaults = {one.keyword.decode(): (one.val or b"").decode() for one in pq.Conninfo.get_defaults()}
    named = {name: str(value) for name, value in given.items() if value}
    known = {**defaults, **named}
    if known.get("sslmode") in _CHECKED_TLS:
        return True
    # A service file that is named here may name any host.
    hosts = [host for name in ("host", "hostaddr") for host in known.get(name, "").split(",")]
    return "service" not in named and all(map(_is_near, hosts))


def _is_near(host: str) -> bool:
    """Return whether a host is this machine: loopback, a folder of Unix sockets, or none, which is the default folder."""
    if host.startswith(("/", "@")) or not host:
        return True
    name, _, port = host.rpartition(":")
    return is_loopback(host) or (port.isdigit() and is_loopback(name.strip("[]")))


def _parameters(url: URL) -> dict[str, str]:
    """Return what a URL of PostgreSQL gives libpq, which takes hosts from the query too, several, and by address."""
    given = {name: ",".join([value] if isinstance(value, str) else value) for name, value in url.query.items()}
    return {**given, "host": ",".join(filter(None, (url.host, given.get("host"))))}


class DatabaseSettings(Settings):
    """Where the accounts are kept."""

    database_url: Annotated[SecretStr | None, AfterValidator(_database)] = Field(
        default=None, validation_alias="DATABASE_URL"
    )
    database_wait_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """How long a start waits for a database that is not up yet."""
    database_allow_plain: bool = False
    """Whether a PostgreSQL on another machine may be reached without TLS, or without a look at its certificate."""

    @property
    def database(self) -> str:
        """The database's URL: the one given, or a SQLite file in the state directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.state_dir.absolute() / 'account.sqlite'}"

    @property
    def own_folder(self) -> Path | None:
        """The folder that the service makes for its database; None where `DATABASE_URL` names the place."""
        return self.state_dir.absolute() if self.database_url is None else None

    @model_validator(mode="after")
    def _speaks_tls(self) -> Self:
        url = make_url(self.database)
        is_file = url.get_backend_name() == "sqlite"
        if not (is_file or self.database_allow_plain or is_near_or_checked(_parameters(url))):
            raise ValueError(f"DATABASE_URL: {ADVICE}")
        return self


class AccountSettings(DatabaseSettings, ServerSettings, CacheSettings, OutboundSettings):
    """Where the accounts are kept, and the keys that open them."""

    account_port: Port = 50051
    database_migrate: bool = True
    sealing_keys: Annotated[
        SecretStr, AfterValidator(wrapped_ring_text), Field(description="`sellergate keys new` makes one")
    ]
    index_key: Annotated[
        SecretStr,
        AfterValidator(partial(wrapped_key_text, use=SingleUse.INDEX_KEY)),
        Field(description="`sellergate keys new --single` makes one"),
    ]
    audit_key: Annotated[
        SecretStr,
        AfterValidator(partial(wrapped_key_text, use=SingleUse.AUDIT_KEY)),
        Field(description="`sellergate keys new --single` makes one"),
    ]
    row_macs: Literal["require", "adopt"] = "require"
    """Whether a row without a MAC that fits is refused, or taken and given one: for an update from a release without MACs."""
    accounts_per_user: Annotated[int, Field(ge=1)] = DEFAULT_LIMITS.accounts
    applications_per_user: Annotated[int, Field(ge=1)] = DEFAULT_LIMITS.applications
    clients_per_user: Annotated[int, Field(ge=1)] = DEFAULT_LIMITS.clients
    """Drop-in clients that are not revoked; as many revoked ones are kept."""
    aws_region: str | None = Field(default=None, validation_alias="AWS_REGION")
    """KMS of this region opens wrapped keys; none leaves it to boto3's own configuration."""

    @property
    def limits(self) -> Limits:
        """The most that one user may have of each."""
        return Limits(self.accounts_per_user, self.applications_per_user, self.clients_per_user)
