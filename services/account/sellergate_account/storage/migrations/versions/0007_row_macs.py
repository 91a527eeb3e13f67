"""MACs of rows. Existing rows have none until they are adopted (docs/runbook.md)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TABLES = ("applications", "accounts", "external_ids", "drop_in_clients", "drop_in_handles", "keyed_requests")


def upgrade() -> None:
    """Add the column; the previous release ignores it."""
    for name in _TABLES:
        with op.batch_alter_table(name, recreate="never") as table:
            table.add_column(sa.Column("row_mac", sa.String(128), nullable=False, server_default=""))


def downgrade() -> None:
    """Remove the column."""
    for name in reversed(_TABLES):
        with op.batch_alter_table(name, recreate="never") as table:
            table.drop_column("row_mac")
