"""The simulator's HTTP server: addresses, and how responses are written and delivered."""
