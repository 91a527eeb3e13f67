"""Drop-in clients and their drop-in refresh tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "drop_in_clients",
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("secret_digest", sa.String(64), nullable=False),
        sa.Column("create_time", time, nullable=False),
        sa.Column("revoke_time", time),
    )
    op.create_index("drop_in_clients_in_order", "drop_in_clients", ["create_time", "client_id"])
    op.create_index("drop_in_clients_of_user_in_order", "drop_in_clients", ["user_id", "create_time", "client_id"])
    op.create_table(
        "drop_in_handles",
        sa.Column("client_id", sa.String(64), sa.ForeignKey("drop_in_clients.client_id"), primary_key=True),
        sa.Column(
            "account_id", sa.String(64), sa.ForeignKey("accounts.account_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("handle_digest", sa.String(64), nullable=False, unique=True),
    )
    op.create_index("ix_drop_in_handles_account_id", "drop_in_handles", ["account_id"])


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("drop_in_handles")
    op.drop_table("drop_in_clients")
