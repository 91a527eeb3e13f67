"""Settings of the account service."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from sellergate_common.crypto.wrapping import SingleUse, wrapped_key_text, wrapped_ring_text
from sellergate_common.settings import CacheSettings, Port, ServerSettings, Settings
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

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


class DatabaseSettings(Settings):
    """Where the accounts are kept."""

    database_url: Annotated[SecretStr | None, AfterValidator(_database)] = Field(
        default=None, validation_alias="DATABASE_URL"
    )
    database_wait_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """How long a start waits for a database that is not up yet."""

    @property
    def database(self) -> str:
        """The database's URL: the one given, or a SQLite file in the state directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.state_dir.absolute() / 'account.sqlite'}"


class AccountSettings(DatabaseSettings, ServerSettings, CacheSettings):
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
    aws_region: str | None = Field(default=None, validation_alias="AWS_REGION")
    """KMS of this region opens wrapped keys; none leaves it to boto3's own configuration."""
