"""Chaos: real processes under a mixed load, faults on every link and in every process, and invariants over the whole history."""
