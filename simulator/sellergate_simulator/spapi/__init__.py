"""The stages of every simulated SP-API call: routing, token, signature, quota and arguments."""
