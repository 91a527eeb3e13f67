"""Blocking libraries: threads of their own, look-ups of names, and the bounds of what AWS's library reads."""
