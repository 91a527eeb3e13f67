"""The gateway's gRPC servicers, with the conversion between messages and the domain."""
