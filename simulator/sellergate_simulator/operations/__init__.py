"""SP-API operations that the simulator implements in full, one module per API."""
