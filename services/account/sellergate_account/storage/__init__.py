"""The account database on SQLAlchemy: tables, transactions, queries and migrations."""
