"""What every simulated SP-API call passes: routing, token, signature, quota and arguments."""
