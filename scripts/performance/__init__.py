"""docs/performance.md with its plots, made from the results of `make bench`."""
