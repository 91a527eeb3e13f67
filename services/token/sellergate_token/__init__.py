"""The token service: exchanges LWA grants for access tokens, once for all callers, and rotates credentials."""
