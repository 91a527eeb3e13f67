"""The drop-in endpoint: token exchange and calls for unmodified SP-API SDKs, in place of Amazon's hosts."""
