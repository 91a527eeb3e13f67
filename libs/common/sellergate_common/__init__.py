"""The foundation of every Sellergate process: errors, settings, call context, gRPC, identities, caches, sealing and logs."""
