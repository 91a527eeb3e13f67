"""Connections to the databases: every wait on one ends, and one that is dropped leaves nothing behind."""
