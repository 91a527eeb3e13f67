"""A bare grpc.aio server over mutual TLS that passes every call through to an upstream by aiohttp and does nothing else.

Arguments: port, URL, files of the CA, the certificate and its key.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import uvloop

METHOD = "/bench.PassThrough/Call"
HEADERS = {"x-amz-access-token": "Atza|" + "x" * 300, "user-agent": "Bench/1.0 (Language=Python/3)", "x-third": "x"}


async def serve(port: str, url: str, credentials: grpc.ServerCredentials) -> None:
    """Respond to every call with the upstream's response."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000)) as session:

        async def call(request: bytes, context: Any) -> bytes:  # noqa: ARG001  (gRPC's signature)
            async with session.get(url, headers=HEADERS) as response:
                return await response.read()

        handlers = {"Call": grpc.unary_unary_rpc_method_handler(call)}
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.PassThrough", handlers),))
        server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await server.start()
        await asyncio.Event().wait()


def main(port: str, url: str, ca: str, certificate: str, key: str) -> None:
    """Serve until it is ended."""
    pair = (Path(key).read_bytes(), Path(certificate).read_bytes())
    credentials = grpc.ssl_server_credentials([pair], Path(ca).read_bytes(), require_client_auth=True)
    uvloop.run(serve(port, url, credentials))


if __name__ == "__main__":
    main(*sys.argv[1:])
