"""`sellergate secrets`: client secrets and authorizations, their ends, and rotations."""
