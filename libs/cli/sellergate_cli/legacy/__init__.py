"""The reader of the former monolith's database for `sellergate import-legacy`."""
