"""A warm GetAccessToken beside a bare echo of the same message size, with the same TLS, uvloop and process count."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import uvloop
from sellergate.token.v1.token_service_pb2 import GetAccessTokenRequest
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_common.rpc.channel import open_channel
from sellergate_devstack.processes.children import tie
from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.suite import Suite

from benches.echo_server import METHOD
from benches.load import compare
from benches.suites import bench_suite

TARGET = 0.7
GET_ACCESS_TOKEN = "/sellergate.token.v1.TokenService/GetAccessToken"
Bytes = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


async def main() -> int:
    """Print the rates and their ratio; return 1 when that is below the target."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench_suite(Path(folder)) as (suite, account_id):
            return await measure(suite, account_id)


async def measure(suite: Suite, account_id: str) -> int:
    """Measure both in turns."""
    identity, request = suite.identity("operator"), GetAccessTokenRequest(account_id=account_id)
    async with open_channel(suite.target("token"), "token", identity, []) as channel:
        response = await TokenServiceStub(channel).GetAccessToken(request)
        size = len(response.SerializeToString())
        with echoing(suite, size) as target:
            async with open_channel(target, "token", identity, []) as bare:
                await asyncio.wait_for(bare.channel_ready(), 10)
                # This process handles raw bytes for both, so that only the servers are compared.
                echo: Bytes = bare.unary_unary(METHOD)
                get: Bytes = channel.unary_unary(GET_ACCESS_TOKEN)
                sent = request.SerializeToString()
                rates = await compare({"echo": lambda: echo(sent, timeout=5), "token": lambda: get(sent, timeout=5)})
    ratio = rates["token"].rate / rates["echo"].rate
    print(f"bare echo of {size} bytes   {rates['echo'].rate:7.0f} calls/s")
    print(f"warm GetAccessToken     {rates['token'].rate:7.0f} calls/s   ratio {ratio:.2f} (at least {TARGET})")
    return int(ratio < TARGET)


@contextmanager
def echoing(suite: Suite, size: int) -> Iterator[str]:
    """Run the bare server with the token service's own certificate; yield its address."""
    (port,), files = free_ports(1), suite.files("token")
    command = [sys.executable, "-m", "benches.echo_server", str(port), str(size)]
    command += map(str, (files.ca, files.certificate, files.key))
    process = subprocess.Popen(tie(command), process_group=0)  # noqa: S603
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
