"""What `sellergate doctor` looks at, one module for each."""
