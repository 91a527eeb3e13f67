"""The gateway: SP-API calls with tokens, signatures, quota, retries and typed errors."""
