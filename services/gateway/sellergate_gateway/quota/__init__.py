"""Amazon's quota per seller, application and operation, shared by all replicas through Redis. See README.md."""
