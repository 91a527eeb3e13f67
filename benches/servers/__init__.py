"""Servers that measurements need: bare ones to compare with, the upstream, and a gateway whose layers are timed."""
