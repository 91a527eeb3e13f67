"""The account service's gRPC servicers, with the translation between messages and the domain."""
