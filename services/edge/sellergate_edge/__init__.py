"""The REST edge: authenticates users, limits them, and forwards their requests to the services."""
