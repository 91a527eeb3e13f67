"""`sellergate secrets`: expiry and rotation of client secrets and authorizations."""
