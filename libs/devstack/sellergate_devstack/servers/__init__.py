"""Redis and PostgreSQL servers of a local run."""
