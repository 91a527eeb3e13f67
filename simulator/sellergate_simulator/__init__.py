"""Amazon for local runs and tests: LWA, STS, the Selling Partner API with its documents, and faults on demand."""
