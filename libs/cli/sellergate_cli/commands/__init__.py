"""The commands of `sellergate`, one module each."""
