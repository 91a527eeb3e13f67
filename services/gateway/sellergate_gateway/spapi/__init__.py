"""SP-API over HTTP: requests, responses, signatures and marketplaces, without quota and tokens."""
