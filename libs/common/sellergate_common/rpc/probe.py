"""The health probe of containers: `python -m sellergate_common.rpc.probe HOST:PORT` exits with 1 unless the service is SERVING."""

import sys

import grpc

SECONDS = 3.0
NO_PROXY = ("grpc.enable_http_proxy", 0)
"""The option of every channel to Sellergate's services that keeps gRPC from using the proxy of HTTPS_PROXY."""


def serves(target: str) -> bool:
    """Return whether the service behind a health port is SERVING."""
    # Every channel of the client library reads NO_PROXY above, also where only the base packages are installed.
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    with grpc.insecure_channel(target, options=[NO_PROXY]) as channel:
        try:
            response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        except grpc.RpcError:
            return False
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(not serves(sys.argv[1]))
