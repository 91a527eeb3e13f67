"""Measurements of the product, as ratios within one run: `python -m benches` runs them all, or the named ones."""
