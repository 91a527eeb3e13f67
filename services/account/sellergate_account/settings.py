"""Settings of the account service."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from psycopg import pq
from pydantic import AfterValidator, Field, SecretStr, model_validator
from sellergate_common.crypto.wrapping import SingleUse, wrapped_key_text, wrapped_ring_text
from sellergate_common.identity.operator_settings import OperatorSettings
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.settings import CacheSettings, Port, ServerSettings, Settings, is_loopback
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sellergate_account.model import DEFAULT_LIMITS, Limits

# The modes of libpq that verify the server's certificate; `require` encrypts without checking which server responds.
_CHECKED_TLS = frozenset({"verify-ca", "verify-full"})
ADVICE = (
    "must have ?sslmode=verify-full and sslrootcert=<file>, since it names another machine (or PGHOST, PGHOSTADDR or a service file"
    " does); SELLERGATE_DATABASE_ALLOW_PLAIN=true allows a connection without TLS"
)
SINGLE_KEYS = {"index_key": SingleUse.INDEX_KEY, "audit_key": SingleUse.AUDIT_KEY}
"""The settings that hold one key, each with the use that KMS binds it to."""


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
    """Return whether libpq reaches only this machine, or verifies certificates, with the parameters in `given`.

    libpq takes other parameters from the environment (PGHOST, PGHOSTADDR, PGSSLMODE) and from a service file (PGSERVICE).
    """
    defaults = {one.keyword.decode(): (one.val or b"").decode() for one in pq.Conninfo.get_defaults()}
    named = {name: str(value) for name, value in given.items() if value}
    known = {**defaults, **named}
    if known.get("sslmode") in _CHECKED_TLS:
        return True
    # The service file may name any host.
    hosts = [host for name in ("host", "hostaddr") for host in known.get(name, "").split(",")]
    return "service" not in named and all(map(_is_near, hosts))


def _is_near(host: str) -> bool:
    """Return whether a host is this machine: loopback, a folder of Unix sockets, or none, which is the default folder."""
    if host.startswith(("/", "@")) or not host:
        return True
    name, _, port = host.rpartition(":")
    return is_loopback(host) or (port.isdigit() and is_loopback(name.strip("[]")))


def _parameters(url: URL) -> dict[str, str]:
    """Return the parameters of libpq in a PostgreSQL URL, whose query may name several hosts, also by address."""
    given = {name: ",".join([value] if isinstance(value, str) else value) for name, value in url.query.items()}
    return {**given, "host": ",".join(filter(None, (url.host, given.get("host"))))}


class DatabaseSettings(Settings):
    """The settings of the account database."""

    database_url: Annotated[SecretStr | None, AfterValidator(_database)] = Field(
        default=None, validation_alias="DATABASE_URL"
    )
    database_wait_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """The most seconds that a start waits for a database that is not up yet."""
    database_allow_plain: bool = False
    """Whether a PostgreSQL on another machine may be reached without TLS, or without verification of its certificate."""

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


class AccountSettings(DatabaseSettings, ServerSettings, CacheSettings, OutboundSettings, OperatorSettings):
    """The settings of the account service: its database, its keys and its limits."""

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
    """Whether a row without a valid MAC is refused, or accepted and given one for an update from a release without MACs."""
    accounts_per_user: Annotated[int, Field(ge=1)] = DEFAULT_LIMITS.accounts
    applications_per_user: Annotated[int, Field(ge=1)] = DEFAULT_LIMITS.applications
    clients_per_user: Annotated[int, Field(ge=1)] = DEFAULT_LIMITS.clients
    """Drop-in clients that are not revoked; as many revoked ones are kept."""
    aws_region: str | None = Field(default=None, validation_alias="AWS_REGION")
    """The region of the KMS that opens wrapped keys; None leaves it to boto3's own configuration."""

    @property
    def limits(self) -> Limits:
        """The most rows of each kind that one user may have."""
        return Limits(self.accounts_per_user, self.applications_per_user, self.clients_per_user)
