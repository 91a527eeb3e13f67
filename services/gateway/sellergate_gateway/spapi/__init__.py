"""How SP-API is spoken over HTTP: requests, responses, signatures and marketplaces. Knows no quota and no tokens."""
