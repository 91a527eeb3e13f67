"""Blocking libraries on threads of their own: name resolution and AWS's SDK, with bounded reads."""
