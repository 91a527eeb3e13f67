"""Request limits per user and per address, counted in Redis or in this process."""
