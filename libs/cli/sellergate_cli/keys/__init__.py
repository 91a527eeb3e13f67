"""`sellergate keys`: new keys, KMS-wrapped keys, and re-encryption of stored secrets."""
