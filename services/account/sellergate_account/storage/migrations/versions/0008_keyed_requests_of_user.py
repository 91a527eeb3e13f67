"""An index of each user's requests with an idempotency key, which are counted."""

from alembic import op

revision = "0008"
down_revision = "0007"

_NAME = "keyed_requests_of_user"


def upgrade() -> None:
    """Create the index; the previous release ignores it."""
    op.create_index(_NAME, "keyed_requests", ["caller", "on_behalf_of", "create_time"])


def downgrade() -> None:
    """Remove the index."""
    op.drop_index(_NAME, "keyed_requests")
