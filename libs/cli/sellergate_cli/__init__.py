"""The `sellergate` command line for operators."""
