"""A warm Call beside a bare pass-through: both with the same TLS, uvloop, process count and upstream."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvloop
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.gateway.v1.call_pb2 import CallRequest
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.children import tie
from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.suite import Suite

from benches.load import Measurement, compare
from benches.pass_through_server import METHOD
from benches.suites import bench_suite

CALL = "/sellergate.gateway.v1.GatewayService/Call"
PATH = "/catalog/2022-04-01/items/B01"
CALLERS, DELAY = 64, 0.050
Bytes = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
FULL, LOCAL, SIGNED, OF_IDEAL, P50 = 0.55, 0.70, 0.90, 0.90, 1.08


@dataclass
class Bench:
    """The measured subjects, in turns; all of them get raw bytes from this process."""

    suite: Suite
    stack: AsyncExitStack
    folder: Path
    account_id: str
    plain: bytes
    signed: bytes

    async def gateway(self, upstream: int, mode: str) -> Bytes:
        """Start a gateway before an upstream."""
        return (await self.gateway_at(upstream, mode))[0]

    async def gateway_at(self, upstream: int, mode: str) -> tuple[Bytes, str]:
        """Start a gateway before an upstream; return its Call and its address."""
        (port,), target = free_ports(1), ""
        target = f"127.0.0.1:{port}"
        environment = {
            **self.suite.supervisor.processes["gateway"].environment,
            "SELLERGATE_GATEWAY_PORT": str(port),
            "SELLERGATE_SPAPI_ENDPOINT_NA": f"http://127.0.0.1:{upstream}",
            "SELLERGATE_QUOTA_MODE": mode,
        }
        supervisor = Supervisor(lambda _: None)
        self.stack.push_async_callback(supervisor.stop)
        serves = grpc_serves(target, "gateway", self.suite.identity("operator"))
        command = [sys.executable, "-m", "sellergate_gateway"]
        await supervisor.start(Process("gateway", command, environment, self.folder / f"{port}.log", serves))
        return await self._channel(target, CALL), target

    async def bare(self, upstream: int) -> Bytes:
        """Start a bare pass-through before an upstream."""
        (port,), files = free_ports(1), self.suite.files("gateway")
        command = [sys.executable, "-m", "benches.pass_through_server", str(port), f"http://127.0.0.1:{upstream}{PATH}"]
        self.stack.enter_context(running([*command, *map(str, (files.ca, files.certificate, files.key))]))
        return await self._channel(f"127.0.0.1:{port}", METHOD)

    def upstream(self, seconds: float) -> int:
        """Start an upstream."""
        (port,) = free_ports(1)
        self.stack.enter_context(
            running([sys.executable, "-m", "benches.upstream_server", str(port), f"{seconds * 1000:.0f}"])
        )
        return port

    async def _channel(self, target: str, method: str) -> Bytes:
        opened = open_channel(target, "gateway", self.suite.identity("client/demo"), [])
        channel = await self.stack.enter_async_context(opened)
        await asyncio.wait_for(channel.channel_ready(), 10)
        called: Bytes = channel.unary_unary(method)
        return called


async def main() -> int:
    """Print the rates and their ratios; return how many are below their targets."""
    async with opened() as bench:
        quick, slow = bench.upstream(0.0), bench.upstream(DELAY)
        bare, shared, local = (
            await bench.bare(quick),
            await bench.gateway(quick, "shared"),
            await bench.gateway(quick, "local"),
        )
        late_bare, late = await bench.bare(slow), await bench.gateway(slow, "shared")

        def calling(called: Bytes, request: bytes) -> Callable[[], grpc.aio.UnaryUnaryCall[bytes, bytes]]:
            return lambda: called(request, timeout=10)

        # The first responses report the rate that the upstream allows.
        for called, request in (
            (shared, bench.plain),
            (local, bench.plain),
            (shared, bench.signed),
            (late, bench.plain),
        ):
            for _ in range(3):
                await called(request, timeout=10)
        at_once = await compare(
            {
                "bare": calling(bare, bench.plain),
                "shared": calling(shared, bench.plain),
                "local": calling(local, bench.plain),
                "signed": calling(shared, bench.signed),
            },
            callers=CALLERS,
        )
        delayed = await compare(
            {"bare": calling(late_bare, bench.plain), "shared": calling(late, bench.plain)}, callers=CALLERS
        )
    return describe(at_once, delayed)


def describe(at_once: dict[str, Measurement], delayed: dict[str, Measurement]) -> int:
    """Print the measurements; return how many targets were missed."""
    bare, shared, ideal = at_once["bare"].rate, at_once["shared"].rate, CALLERS / DELAY
    print(f"bare pass-through         {bare:6.0f} calls/s")
    rows = [
        ("Call, quota in Redis", shared / bare, FULL),
        ("Call, quota local", at_once["local"].rate / bare, LOCAL),
        ("signed, of unsigned", at_once["signed"].rate / shared, SIGNED),
        (f"of the ideal at {DELAY * 1000:.0f} ms", delayed["shared"].rate / ideal, OF_IDEAL),
    ]
    for name, ratio, least in rows:
        print(f"{name:25} ratio {ratio:.2f} (at least {least})")
    p50 = delayed["shared"].p50 / delayed["bare"].p50
    print(f"p50 at {DELAY * 1000:.0f} ms, of the bare  ratio {p50:.2f} (at most {P50})")
    print(f"the bare one at {DELAY * 1000:.0f} ms    ratio {delayed['bare'].rate / ideal:.2f} of the ideal")
    return sum(ratio < least for _, ratio, least in rows) + (p50 > P50)


@asynccontextmanager
async def opened() -> AsyncIterator[Bench]:
    """Run a suite whose demo account signs, and connect another that does not."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        suite, account_id = await stack.enter_async_context(bench_suite(folder))
        async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
            stub, demo = AccountServiceStub(channel), suite.demo
            unsigned = account_service_pb2.UpsertAccountRequest(
                user_id="bench",
                amazon_seller_id=demo.seller_id,
                marketplace="US",
                lwa_client_id=demo.client_id,
                lwa_client_secret=demo.client_secret.get_secret_value(),
                refresh_token=demo.refresh_token.get_secret_value(),
                signing_mode=account_pb2.SIGNING_MODE_NONE,
            )
            plain = (await invoke(stub.UpsertAccount, unsigned, dependency="account")).account.account_id
        requests = [
            CallRequest(account_id=one, method="GET", path=PATH).SerializeToString() for one in (plain, account_id)
        ]
        yield Bench(suite, stack, folder, plain, *requests)


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    """Run a server while the body runs."""
    process = subprocess.Popen(tie(command), process_group=0)  # noqa: S603
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
