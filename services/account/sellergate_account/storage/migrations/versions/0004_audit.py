"""The audit log, and roles that are assumed without an external id.

The chains of existing accounts begin with the next event.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_END = ("audit_count", "audit_mac", "audit_seal")


def upgrade() -> None:
    """Create the tables and the columns; the global chain is empty."""
    op.create_table(
        "audit_events",
        sa.Column("chain", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("caller", sa.String(256), nullable=False),
        sa.Column("on_behalf_of", sa.String(128), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
    )
    chains = op.create_table("audit_chains", sa.Column("chain", sa.String(64), primary_key=True), *_end())
    op.bulk_insert(chains, [{"chain": "", "audit_count": 0, "audit_mac": "", "audit_seal": ""}])
    with op.batch_alter_table("accounts", recreate="never") as table:
        for column in _end():
            table.add_column(column)
        table.add_column(sa.Column("role_without_external_id", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Remove the tables and the columns."""
    with op.batch_alter_table("accounts", recreate="never") as table:
        for name in ("role_without_external_id", *reversed(_END)):
            table.drop_column(name)
    op.drop_table("audit_chains")
    op.drop_table("audit_events")


def _end() -> list[sa.Column[object]]:
    return [
        sa.Column("audit_count", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("audit_mac", sa.String(64), nullable=False, server_default=""),
        sa.Column("audit_seal", sa.String(64), nullable=False, server_default=""),
    ]
