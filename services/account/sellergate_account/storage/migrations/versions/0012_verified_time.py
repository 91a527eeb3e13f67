"""When and how Amazon last accepted an account's refresh token."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_TABLE = "accounts"


def upgrade() -> None:
    """Add the columns; the release before ignores them."""
    with op.batch_alter_table(_TABLE, recreate="never") as table:
        table.add_column(sa.Column("verified_time", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("verification_method", sa.String(32), nullable=False, server_default=""))
        table.add_column(sa.Column("verified_mac", sa.String(128), nullable=False, server_default=""))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table(_TABLE, recreate="never") as table:
        for name in ("verified_mac", "verification_method", "verified_time"):
            table.drop_column(name)
