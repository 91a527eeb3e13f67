"""Access tokens of accounts and applications: exchanged with LWA once, and kept in Redis until they expire."""
