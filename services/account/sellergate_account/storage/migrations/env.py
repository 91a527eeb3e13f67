"""Alembic's entry point, which runs the revisions on the connection that `migrating` passes."""

from alembic import context

from sellergate_account.storage.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
