"""The database's history: revisions that expand or contract, never both; run on SQLite and PostgreSQL."""
