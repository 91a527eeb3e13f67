"""The web console: its static page, and the routes that only this page reads."""
