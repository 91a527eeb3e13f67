"""The web console: its static page, and the routes that it alone reads."""
