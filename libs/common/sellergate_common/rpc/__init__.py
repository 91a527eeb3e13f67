"""The gRPC server and channels that every service shares: interceptors, deadlines, validation and health."""
