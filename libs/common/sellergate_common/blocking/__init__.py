"""Blocking libraries on their own threads: name resolution and AWS's SDK, with bounded reads."""
