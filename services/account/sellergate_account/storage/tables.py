"""The tables, whose secrets are sealed. Times are in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine


class _SqliteTime(DATETIME):
    """A time on SQLite, which accepts any text. Text that is not a time is read as the earliest time, and its row is refused."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Return the function that converts a stored value."""
        read = super().result_processor(dialect, coltype)

        def process(value: Any) -> datetime | None:
            try:
                return read(value) if read else value
            except (ValueError, TypeError):
                return datetime.min  # noqa: DTZ901  (the zone is set below)

        return process


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC, also on SQLite, which stores no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        """Return the type for the database in use."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_SqliteTime())  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store the time in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return an aware time."""
        if value is None:
            return None
        time: datetime = value
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all tables of the account service."""


class RowMac:
    """The MAC of a row (`row_macs`)."""

    row_mac: Mapped[str] = mapped_column(String(128), server_default="")


class ApplicationRecord(RowMac, Base):
    """An LWA client. The client id is found through its keyed blind index and kept sealed, as the secrets are."""

    __tablename__ = "applications"
    __table_args__ = (
        UniqueConstraint("owner_user_id", "client_id_index"),
        Index("applications_in_order", "create_time", "application_id"),
    )

    application_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner_user_id: Mapped[str] = mapped_column(String(128))
    client_id_index: Mapped[str] = mapped_column(String(64))
    client_id_hint: Mapped[str] = mapped_column(String(4))
    client_id_sealed: Mapped[str] = mapped_column(Text)
    client_secret_sealed: Mapped[str] = mapped_column(Text)
    previous_secret_sealed: Mapped[str | None] = mapped_column(Text)
    previous_secret_expire_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revision: Mapped[int]
    version: Mapped[int]
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime] = mapped_column(UtcDateTime)
    name: Mapped[str] = mapped_column(String(128), server_default="")
    spapi_application_id: Mapped[str] = mapped_column(String(128), server_default="")
    redirect_uris: Mapped[list[str]] = mapped_column(JSON, server_default="[]")
    draft: Mapped[bool] = mapped_column(server_default=false())
    secret_expire_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    secret_issue_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ChainEnd:
    """The end of an audit chain."""

    audit_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    audit_mac: Mapped[str] = mapped_column(String(64), server_default="")
    audit_seal: Mapped[str] = mapped_column(String(64), server_default="")


class AccountRecord(ChainEnd, RowMac, Base):
    """A connected seller."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("user_id", "amazon_seller_id", "marketplace"),
        Index("accounts_in_order", "create_time", "account_id"),
        Index("accounts_of_user_in_order", "user_id", "create_time", "account_id"),
        Index("accounts_of_seller", "amazon_seller_id"),
        # Many accounts have no reference (NULL), which both databases permit in a unique index.
        Index("accounts_by_external_ref", "external_ref", "user_id", unique=True),
    )

    account_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(128))
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.application_id"), index=True)
    amazon_seller_id: Mapped[str] = mapped_column(String(64))
    marketplace: Mapped[str] = mapped_column(String(8))
    marketplace_ids: Mapped[list[str]] = mapped_column(JSON)
    region: Mapped[str] = mapped_column(String(32))
    iam_role_arn: Mapped[str] = mapped_column(String(2048))
    external_id: Mapped[str] = mapped_column(String(64))
    signing: Mapped[str] = mapped_column(String(16))
    sandbox: Mapped[bool]
    state: Mapped[str] = mapped_column(String(32))
    refresh_token_sealed: Mapped[str] = mapped_column(Text)
    authorization_expire_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revision: Mapped[int]
    version: Mapped[int]
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime] = mapped_column(UtcDateTime)
    role_without_external_id: Mapped[bool] = mapped_column(server_default=false())
    external_ref: Mapped[str | None] = mapped_column(String(128))
    labels: Mapped[dict[str, str]] = mapped_column(JSON, server_default="{}")
    names_mac: Mapped[str] = mapped_column(String(128), server_default="")
    verified_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verification_method: Mapped[str] = mapped_column(String(32), server_default="")
    verified_mac: Mapped[str] = mapped_column(String(128), server_default="")


class ExternalIdRecord(RowMac, Base):
    """The external id that Sellergate sends to STS for all roles of a user."""

    __tablename__ = "external_ids"

    user_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(64))


class ClientRecord(RowMac, Base):
    """A drop-in client; its secret is stored as SHA-256."""

    __tablename__ = "drop_in_clients"
    __table_args__ = (
        Index("drop_in_clients_in_order", "create_time", "client_id"),
        Index("drop_in_clients_of_user_in_order", "user_id", "create_time", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(128))
    name: Mapped[str] = mapped_column(String(128))
    secret_digest: Mapped[str] = mapped_column(String(64))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    revoke_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class HandleRecord(RowMac, Base):
    """A client's drop-in refresh token for one account, stored as SHA-256; it is deleted with the account."""

    __tablename__ = "drop_in_handles"

    client_id: Mapped[str] = mapped_column(ForeignKey("drop_in_clients.client_id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.account_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    handle_digest: Mapped[str] = mapped_column(String(64), unique=True)


class AuditEventRecord(Base):
    """One event of an audit chain; `chain` is an account's id, also of a removed account, or empty for the global chain."""

    __tablename__ = "audit_events"

    chain: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(256))
    detail: Mapped[str] = mapped_column(Text)
    caller: Mapped[str] = mapped_column(String(256))
    on_behalf_of: Mapped[str] = mapped_column(String(128))
    request_id: Mapped[str] = mapped_column(String(128))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    mac: Mapped[str] = mapped_column(String(64))


class AuditChainRecord(ChainEnd, Base):
    """The end of a chain without an account: the global chain, and those of removed accounts."""

    __tablename__ = "audit_chains"

    chain: Mapped[str] = mapped_column(String(64), primary_key=True)


class KeyedRequestRecord(RowMac, Base):
    """A writing request by its idempotency key, kept for a day. The key is stored as a blind index, and the response is sealed."""

    __tablename__ = "keyed_requests"
    __table_args__ = (Index("keyed_requests_of_user", "caller", "on_behalf_of", "create_time"),)

    key_index: Mapped[str] = mapped_column(String(64), primary_key=True)
    caller: Mapped[str] = mapped_column(String(256))
    on_behalf_of: Mapped[str] = mapped_column(String(128))
    method: Mapped[str] = mapped_column(String(128))
    request_digest: Mapped[str] = mapped_column(String(64))
    response_sealed: Mapped[str] = mapped_column(Text)
    create_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ChangeRecord(Base):
    """A change of an account or application, which triggers write (revision 0009). It grants nothing and has no MAC.

    `version` is that after the change, 0 of a row that was removed. On PostgreSQL rows are read by `transaction_id`, on SQLite by
    `change_id`; the nonce shows there whether a cursor is from this database.
    """

    __tablename__ = "account_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    change_id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject_id: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(BigInteger)
    transaction_id: Mapped[int] = mapped_column(BigInteger, index=True)
    nonce: Mapped[str] = mapped_column(String(32))
