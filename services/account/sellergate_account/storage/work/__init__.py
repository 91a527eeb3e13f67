"""The state of one transaction: the rows that it has read, those that it will write, and its effects after COMMIT."""
