"""Look-ups of names: a look-up at unresponsive name servers delays neither other look-ups nor connections that the loop opens."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from threading import Event
from typing import Any

import pytest
import uvloop
from sellergate_common.blocking.names import THREADS_OF_A_NAME, Loop

# The number of threads in which uvloop looks up all names.
OWN_THREADS_OF_UVLOOP = 4


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the names that were looked up; those that begin with "silent" get no response before the test ends."""
    names, release, true = list[str](), Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **hints: Any) -> Any:
        names.append(host)
        if host.startswith("silent"):
            release.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "no response")
        return true(host, *rest, **hints)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield names
    release.set()


def run(scenario: Callable[[Loop], Awaitable[None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        await scenario(loop)

    uvloop.run(main(), loop_factory=Loop)


def test_unresponsive_names_delay_no_other_name_and_no_connection(silent: list[str]) -> None:
    async def scenario(loop: Loop) -> None:
        names = [f"silent-{number % 8}.example" for number in range(80)]
        waiting = [asyncio.ensure_future(loop.getaddrinfo(name, 443)) for name in names]
        async with asyncio.timeout(20):
            while len(silent) < 8 * THREADS_OF_A_NAME:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert (await loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM))[0][4][1] == 80
            server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                reader, writer = await asyncio.open_connection("localhost", port, family=socket.AF_INET)
                assert await reader.read() == b""
                writer.close()
        assert not any(one.done() for one in waiting)
        assert sum(name.startswith("silent") for name in silent) == 8 * THREADS_OF_A_NAME > OWN_THREADS_OF_UVLOOP
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)

    run(scenario)


def test_an_address_needs_no_thread(silent: list[str]) -> None:
    async def scenario(loop: Loop) -> None:
        for address in ("127.0.0.1", "::1"):
            assert (await loop.getaddrinfo(address, 80, type=socket.SOCK_STREAM))[0][4][:2] == (address, 80)

    run(scenario)
    assert not silent


def test_finished_look_ups_are_forgotten(silent: list[str]) -> None:
    async def scenario(loop: Loop) -> None:
        for _ in range(3):
            with pytest.raises(socket.gaierror):
                await loop.getaddrinfo("nothing.invalid", 80)
            await loop.getaddrinfo("localhost", 80)
        assert set(loop._names) <= {"localhost", "nothing.invalid"}
        await loop.getaddrinfo("localhost", 80)
        assert set(loop._names) == {"localhost"}

    run(scenario)
