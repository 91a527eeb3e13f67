"""A real gRPC server inside a test: the layers of `common` around a servicer of the test's own, over mutual TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from prometheus_client import CollectorRegistry
from sellergate_common.identity.policy import Access
from sellergate_common.identity.renewal import ServerCertificate
from sellergate_common.identity.tls import Identity
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.rpc.channel import MAX_MESSAGE_BYTES
from sellergate_common.rpc.interceptors import InterceptedServer, Interceptors


@asynccontextmanager
async def serving(
    name: str, identity: Identity, servicers: dict[Any, Any], access: Access | None = None
) -> AsyncIterator[str]:
    """Serve `servicers` (add function → servicer) as `name`; yield the address."""
    layers = Interceptors(name, access or Access(), RpcMetrics.register(CollectorRegistry()))
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)])
    for add, servicer in servicers.items():
        add(servicer, InterceptedServer(server, layers))
    certificate = ServerCertificate(identity)
    port = server.add_secure_port("127.0.0.1:0", certificate.credentials())
    renewing = asyncio.create_task(certificate.renew())
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        renewing.cancel()
        await server.stop(None)
