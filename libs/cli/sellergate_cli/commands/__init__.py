"""One module per command of `sellergate`."""
