"""The public fields of an application: name, id, redirect URIs, draft, expiry of its secret."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; existing rows get the defaults."""
    with op.batch_alter_table("applications", recreate="never") as table:
        table.add_column(sa.Column("name", sa.String(128), nullable=False, server_default=""))
        table.add_column(sa.Column("spapi_application_id", sa.String(128), nullable=False, server_default=""))
        table.add_column(sa.Column("redirect_uris", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("draft", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("secret_expire_time", sa.DateTime(timezone=True)))
    op.create_index("applications_in_order", "applications", ["create_time", "application_id"])


def downgrade() -> None:
    """Remove the columns."""
    op.drop_index("applications_in_order", "applications")
    with op.batch_alter_table("applications", recreate="never") as table:
        for name in ("secret_expire_time", "draft", "redirect_uris", "spapi_application_id", "name"):
            table.drop_column(name)
