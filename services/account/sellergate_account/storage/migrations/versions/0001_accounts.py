"""Applications, accounts and external ids."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "applications",
        sa.Column("application_id", sa.String(64), primary_key=True),
        sa.Column("owner_user_id", sa.String(128), nullable=False),
        sa.Column("client_id_index", sa.String(64), nullable=False),
        sa.Column("client_id_hint", sa.String(4), nullable=False),
        sa.Column("client_id_sealed", sa.Text(), nullable=False),
        sa.Column("client_secret_sealed", sa.Text(), nullable=False),
        sa.Column("previous_secret_sealed", sa.Text()),
        sa.Column("previous_secret_expire_time", time),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("create_time", time, nullable=False),
        sa.Column("update_time", time, nullable=False),
        sa.UniqueConstraint("owner_user_id", "client_id_index"),
    )
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("application_id", sa.String(64), sa.ForeignKey("applications.application_id"), nullable=False),
        sa.Column("amazon_seller_id", sa.String(64), nullable=False),
        sa.Column("marketplace", sa.String(8), nullable=False),
        sa.Column("marketplace_ids", sa.JSON(), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("iam_role_arn", sa.String(2048), nullable=False),
        sa.Column("external_id", sa.String(64), nullable=False),
        sa.Column("signing", sa.String(16), nullable=False),
        sa.Column("sandbox", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("refresh_token_sealed", sa.Text(), nullable=False),
        sa.Column("authorization_expire_time", time),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("create_time", time, nullable=False),
        sa.Column("update_time", time, nullable=False),
        sa.UniqueConstraint("user_id", "amazon_seller_id", "marketplace"),
    )
    op.create_index("ix_accounts_application_id", "accounts", ["application_id"])
    op.create_index("accounts_in_order", "accounts", ["create_time", "account_id"])
    op.create_index("accounts_of_user_in_order", "accounts", ["user_id", "create_time", "account_id"])
    op.create_table(
        "external_ids",
        sa.Column("user_id", sa.String(128), primary_key=True),
        sa.Column("external_id", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    """Remove the first tables."""
    op.drop_table("accounts")
    op.drop_table("applications")
    op.drop_table("external_ids")
