"""The REST edge: authentication and limits of users, and the forwarding of their requests to the services."""
