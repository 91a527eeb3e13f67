"""`sellergate doctor`: checks of certificates, clocks, connections, keys and stored data."""
