"""Checks of the services and of their dependencies through gRPC health."""

import asyncio
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sellergate_client.settings import ClientSettings
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import open_channel

from sellergate_cli.doctor.finding import Finding

SECONDS = 5.0
# The dependencies that each service reports as health services.
DEPENDENCIES: Mapping[str, tuple[str, ...]] = {
    "account": ("database", "redis"),
    "token": ("redis",),
    "gateway": ("redis",),
}
_SERVING = health_pb2.HealthCheckResponse.SERVING


async def examine(settings: ClientSettings, identity: Identity) -> list[Finding]:
    """Check every service that the settings name."""
    targets = {
        "account": settings.account_target,
        "token": settings.token_target,
        "gateway": settings.gateway_target,
    }
    found = await asyncio.gather(*(_service(name, target, identity) for name, target in targets.items()))
    return [finding for findings in found for finding in findings]


async def _service(name: str, target: str, identity: Identity) -> list[Finding]:
    async with open_channel(target, name, identity, []) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        health = await _check_health(stub, "")
        if health != "SERVING":
            return [
                Finding(
                    name, "FAILED", f"{target}: {health}; check that it runs and trusts the certificate's authority"
                )
            ]
        findings = [Finding(name, "OK", f"{target} is serving")]
        for dependency in DEPENDENCIES[name]:
            state = await _check_health(stub, f"dependency/{dependency}")
            if state == "SERVING":
                findings.append(Finding(f"{name} → {dependency}", "OK", "reachable"))
            elif state != "NOT_FOUND":
                findings.append(
                    Finding(
                        f"{name} → {dependency}",
                        "FAILED",
                        f"{state}; the {name} service cannot reach it: check its address and network",
                    )
                )
        return findings


async def _check_health(stub: "health_pb2_grpc.HealthStub", service: str) -> str:
    try:
        response = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return (
        "SERVING" if response.status == _SERVING else health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
    )
