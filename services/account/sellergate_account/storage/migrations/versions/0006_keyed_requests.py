"""Requests with an idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table; replicas of the previous release do not use it."""
    op.create_table(
        "keyed_requests",
        sa.Column("key_index", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(256), nullable=False),
        sa.Column("on_behalf_of", sa.String(128), nullable=False),
        sa.Column("method", sa.String(128), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("response_sealed", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_keyed_requests_create_time", "keyed_requests", ["create_time"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("keyed_requests")
