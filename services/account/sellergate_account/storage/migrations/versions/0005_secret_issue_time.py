"""The time at which Amazon issued an application's secret, which reveals late notifications of older secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; it is empty until the next notification."""
    with op.batch_alter_table("applications", recreate="never") as table:
        table.add_column(sa.Column("secret_issue_time", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("applications", recreate="never") as table:
        table.drop_column("secret_issue_time")
