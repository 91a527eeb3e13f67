"""The list of changes on SQLAlchemy: one way to read it without gaps for each database."""
