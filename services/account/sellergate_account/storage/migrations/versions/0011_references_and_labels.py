"""Callers' own references and labels of accounts, and the indexes by which they are found."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"

_TABLE = "accounts"


def upgrade() -> None:
    """Add the columns and indexes; the release before ignores them."""
    with op.batch_alter_table(_TABLE, recreate="never") as table:
        table.add_column(sa.Column("external_ref", sa.String(128)))
        table.add_column(sa.Column("labels", sa.JSON(), nullable=False, server_default="{}"))
        table.add_column(sa.Column("names_mac", sa.String(128), nullable=False, server_default=""))
    op.create_index("accounts_by_external_ref", _TABLE, ["external_ref", "user_id"], unique=True)
    op.create_index("accounts_of_seller", _TABLE, ["amazon_seller_id"])


def downgrade() -> None:
    """Remove the indexes and columns."""
    op.drop_index("accounts_of_seller", _TABLE)
    op.drop_index("accounts_by_external_ref", _TABLE)
    with op.batch_alter_table(_TABLE, recreate="never") as table:
        for name in ("names_mac", "labels", "external_ref"):
            table.drop_column(name)
