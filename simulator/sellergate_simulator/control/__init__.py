"""The control API of the simulator: faults, counters and seeded data for tests."""
