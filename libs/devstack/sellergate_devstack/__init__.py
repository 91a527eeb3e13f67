"""The whole suite on one machine, for `make run` and the tests."""
