"""`sellergate keys`: new keys, KMS-wrapped keys, and re-wrapping of what is stored."""
