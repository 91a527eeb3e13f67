"""The list of changes, which triggers write: changes by replicas of the previous release are listed too."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_TABLE = "account_changes"
_KINDS = {"accounts": ("account", "account_id"), "applications": ("application", "application_id")}
_COLUMNS = "kind, subject_id, version, transaction_id, nonce"
# A row that is put back to an earlier version is listed as removed: a later version of it may be copied anywhere.
_VERSION = "CASE WHEN NEW.version > OLD.version THEN NEW.version ELSE 0 END"


def upgrade() -> None:
    """Create the table, and the triggers that list what changes a row's version or removes the row."""
    op.create_table(
        _TABLE,
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_account_changes_transaction_id", _TABLE, ["transaction_id"])
    if op.get_bind().dialect.name == "postgresql":
        _create_on_postgresql()
    else:
        _create_on_sqlite()


def downgrade() -> None:
    """Remove the triggers and the table."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table, (kind, _) in _KINDS.items():
        of_table = f" ON {table}" if on_postgresql else ""
        for event in ("changed", "removed"):
            op.execute(f"DROP TRIGGER {table}_{event}{of_table}")
        if on_postgresql:
            op.execute(f"DROP FUNCTION list_change_of_{kind}()")
    op.drop_index("ix_account_changes_transaction_id", _TABLE)
    op.drop_table(_TABLE)


def _create_on_postgresql() -> None:
    into, own = f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES", "pg_current_xact_id()::text::bigint, ''"
    for table, (kind, key) in _KINDS.items():
        op.execute(
            f"CREATE FUNCTION list_change_of_{kind}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF TG_OP = 'DELETE' THEN {into} ('{kind}', OLD.{key}, 0, {own});"
            f" ELSE {into} ('{kind}', NEW.{key}, {_VERSION}, {own}); END IF; RETURN NULL; END $$"
        )
        call = f"EXECUTE FUNCTION list_change_of_{kind}()"
        op.execute(
            f"CREATE TRIGGER {table}_changed AFTER UPDATE ON {table} FOR EACH ROW"
            f" WHEN (OLD.version <> NEW.version) {call}"
        )
        op.execute(f"CREATE TRIGGER {table}_removed AFTER DELETE ON {table} FOR EACH ROW {call}")


def _create_on_sqlite() -> None:
    into, nonce = f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES", "lower(hex(randomblob(16)))"
    for table, (kind, key) in _KINDS.items():
        op.execute(
            f"CREATE TRIGGER {table}_changed AFTER UPDATE ON {table} WHEN OLD.version <> NEW.version"
            f" BEGIN {into} ('{kind}', NEW.{key}, {_VERSION}, 0, {nonce}); END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_removed AFTER DELETE ON {table}"
            f" BEGIN {into} ('{kind}', OLD.{key}, 0, 0, {nonce}); END"
        )
    # The first row shows a cursor from which database it is, also before anything was changed.
    op.execute(f"{into} ('', '', 0, 0, {nonce})")
