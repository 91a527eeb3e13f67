"""The simulator's HTTP server: its addresses, and the format and delivery of responses."""
