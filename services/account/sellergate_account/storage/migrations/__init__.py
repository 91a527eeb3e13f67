"""The schema's history: revisions for SQLite and PostgreSQL, each of which expands or contracts."""
