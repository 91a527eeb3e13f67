"""The measured suite: all services with the simulator and two connected accounts, and further servers beside them."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.gateway.v1.call_pb2 import CallRequest
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.demo import run_demo
from sellergate_devstack.processes.children import tie
from sellergate_devstack.processes.ports import LOOPBACK, free_ports, free_row, is_taken
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from benches.measuring import Subject
from benches.servers import echo, pass_through

CALL = "/sellergate.gateway.v1.GatewayService/Call"
PATH = "/catalog/2022-04-01/items/B01"
ECHO_BYTES = 512
START_SECONDS = 20.0
_SERVICES = ("edge", "account", "token", "iam", "gateway")
Bytes = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its method, which takes and returns bytes, so that this process costs the same for all."""

    call: Bytes
    target: str
    pid: int

    def subject(self, name: str, request: bytes, **others: int) -> Subject:
        """Return the calls of a request as a subject; the server is called `name`, and `others` serve the call too."""
        return Subject(lambda: self.call(request, timeout=30), {name: self.pid, **others})


@dataclass
class Bench:
    """The suite, with requests for an account whose calls are not signed and for one whose calls are."""

    suite: Suite
    stack: AsyncExitStack
    folder: Path
    account_id: str
    plain: bytes
    signed: bytes

    @property
    def behind(self) -> dict[str, int]:
        """The processes behind every gateway, by name."""
        return {name: self.suite.pids[name] for name in ("account", "token", "redis")}

    async def gateway(self, upstream: int, mode: str = "shared", module: str = "sellergate_gateway") -> Server:
        """Start a gateway before an upstream; `module` is its program."""
        (port,) = free_ports(1)
        target = f"{LOOPBACK}:{port}"
        environment = {
            **self.suite.supervisor.processes["gateway"].environment,
            "SELLERGATE_GATEWAY_PORT": str(port),
            "SELLERGATE_SPAPI_ENDPOINT_NA": f"http://{LOOPBACK}:{upstream}",
            "SELLERGATE_QUOTA_MODE": mode,
            "BENCH_LAYERS_FILE": str(self.folder / f"{port}.layers"),
        }
        supervisor = Supervisor(lambda _: None)
        self.stack.push_async_callback(supervisor.stop)
        serves = grpc_serves(target, "gateway", self.suite.identity("operator"))
        process = Process("gateway", [sys.executable, "-m", module], environment, self.folder / f"{port}.log", serves)
        await supervisor.start(process)
        return Server(await self.method("gateway", target, CALL), target, process.pid)

    async def bare(self, upstream: int, path: str = PATH) -> Server:
        """Start a bare pass-through before an upstream."""
        return await self._bare("gateway", pass_through.METHOD, "pass_through", f"http://{LOOPBACK}:{upstream}{path}")

    async def echo(self, size: int = ECHO_BYTES) -> Server:
        """Start a bare echo that responds with `size` bytes."""
        return await self._bare("token", echo.METHOD, "echo", str(size))

    def upstream(self, seconds: float = 0.0) -> int:
        """Start an upstream; return its port."""
        (port,) = free_ports(1)
        self.stack.enter_context(
            running([sys.executable, "-m", "benches.servers.upstream", str(port), f"{seconds * 1000:.0f}"], port)
        )
        return port

    async def method(self, service: str, target: str, method: str) -> Bytes:
        """Open a channel to a service and return a method of it."""
        identity = self.suite.identity("client/demo" if service == "gateway" else "operator")
        channel = await self.stack.enter_async_context(open_channel(target, service, identity, []))
        await asyncio.wait_for(channel.channel_ready(), START_SECONDS)
        called: Bytes = channel.unary_unary(method)
        return called

    async def _bare(self, service: str, method: str, module: str, argument: str) -> Server:
        (port,), files = free_ports(1), self.suite.files(service)
        command = [sys.executable, "-m", f"benches.servers.{module}", str(port), argument]
        pid = self.stack.enter_context(running([*command, *map(str, (files.ca, files.certificate, files.key))], port))
        target = f"{LOOPBACK}:{port}"
        return Server(await self.method(service, target, method), target, pid)


async def learn(server: Server, request: bytes) -> None:
    """Make the first calls: their responses report the rate that the upstream allows."""
    for _ in range(3):
        await server.call(request, timeout=30)


@asynccontextmanager
async def opened() -> AsyncIterator[Bench]:
    """Run a suite whose demo account signs, and connect another account that does not."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        suite = await stack.enter_async_context(bench_suite(folder))
        signed = await run_demo(suite, lambda _: None)
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
        yield Bench(suite, stack, folder, plain, request_of(plain), request_of(signed))


def request_of(account_id: str, path: str = PATH) -> bytes:
    """Return the bytes of a call for an account."""
    return CallRequest(account_id=account_id, method="GET", path=path).SerializeToString()


@asynccontextmanager
async def bench_suite(folder: Path) -> AsyncIterator[Suite]:
    """Run the suite on free ports."""
    simulator, *ports = free_row(5)[0], *free_ports(len(_SERVICES))
    of_services = {f"{name}_port": port for name, port in zip(_SERVICES, ports, strict=True)}
    settings = DevstackSettings(state_dir=folder, simulator="on", simulator_port=simulator, **of_services)
    async with running_suite(settings, lambda _: None) as suite:
        yield suite


@contextmanager
def settings_of(**variables: str) -> Iterator[None]:
    """Set variables of the environment, which the suite's processes get, while the body runs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """Run a server while the body runs, and yield its process id once it listens on its port."""
    process = subprocess.Popen(tie(command), process_group=0)  # noqa: S603
    try:
        end = time.monotonic() + START_SECONDS
        while not is_taken(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{' '.join(command[1:3])} does not listen on its port")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.kill()
        process.wait()
