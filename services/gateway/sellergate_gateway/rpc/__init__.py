"""The gateway's gRPC servicers, with the translation between messages and the domain."""
