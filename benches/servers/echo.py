"""A bare grpc.aio server over mutual TLS that responds to every call with the same bytes: the least that a service can cost.

Arguments: port, size of the response, files of the CA, the certificate and its key.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import uvloop

METHOD = "/bench.Echo/Echo"


async def serve(port: str, size: str, credentials: grpc.ServerCredentials) -> None:
    """Respond to every call with `size` bytes."""
    response = b"x" * int(size)

    async def echo(request: bytes, context: Any) -> bytes:  # noqa: ARG001  (gRPC's signature)
        return response

    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    await asyncio.Event().wait()


def main(port: str, size: str, ca: str, certificate: str, key: str) -> None:
    """Serve until it is ended."""
    pair = (Path(key).read_bytes(), Path(certificate).read_bytes())
    credentials = grpc.ssl_server_credentials([pair], Path(ca).read_bytes(), require_client_auth=True)
    uvloop.run(serve(port, size, credentials))


if __name__ == "__main__":
    main(*sys.argv[1:])
