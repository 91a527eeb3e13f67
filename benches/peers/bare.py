"""A bare pass-through over mutual TLS, called by gRPC's synchronous client: what any gateway behind gRPC costs one thread."""

from pathlib import Path

import grpc
from sellergate_common.identity.tls import SERVER_NAME_SUFFIX

from benches.peers.program import given, run
from benches.servers.pass_through import METHOD

if __name__ == "__main__":
    read = given()
    authority, certificate, key = (Path(file).read_bytes() for file in read["files"])
    # It presents the gateway's certificate.
    options = [("grpc.ssl_target_name_override", f"gateway{SERVER_NAME_SUFFIX}")]
    with grpc.secure_channel(
        read["bare"], grpc.ssl_channel_credentials(authority, key, certificate), options
    ) as channel:
        call = channel.unary_unary(METHOD)
        run(lambda: call(b"", timeout=30), read)
