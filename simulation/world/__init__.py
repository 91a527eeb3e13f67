"""The simulated world: the event loop with virtual time, the network, Redis, the database and Amazon."""
