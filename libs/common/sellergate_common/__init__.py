"""What every Sellergate process needs: errors, settings, the call's context, gRPC, identities, caches, sealing and logs."""
