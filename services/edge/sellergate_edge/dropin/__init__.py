"""The drop-in endpoint: unmodified SP-API SDKs exchange tokens and make calls here instead of at Amazon."""
