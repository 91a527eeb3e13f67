"""The simulated world behaves as the real one: clocks, nodes that stop, connections, transactions, and Amazon's buckets."""

import asyncio
import time
from functools import partial
from random import Random
from typing import Any

import grpc
import pytest

from simulation.history import History
from simulation.world.amazon import Bucket
from simulation.world.loop import EPOCH, Node, NoProgress, SimulationLoop, run_on, start_on
from simulation.world.network import Connection, Network
from simulation.world.patches import replaced_world
from simulation.world.rpc import Channel, Server, Switchboard


def test_time_advances_only_while_nothing_is_ready() -> None:
    with replaced_world("1", lambda *_: None) as loop:

        async def main() -> tuple[float, float]:
            began = time.monotonic()
            await asyncio.sleep(3600.0)
            return time.monotonic() - began, time.time() - EPOCH

        assert loop.run_task(main()) == (3600.0, 3600.0)


def test_each_node_has_clocks_of_its_own() -> None:
    with replaced_world("1", lambda *_: None) as loop:
        node = Node("a", skew=2.0, offset=500.0)

        async def read() -> tuple[float, float]:
            await asyncio.sleep(1.0)
            return time.time() - EPOCH, time.monotonic()

        async def main() -> tuple[float, float]:
            return await start_on(node, read())

        assert loop.run_task(main()) == (3.0, 501.0)


def test_a_node_runs_its_callbacks_in_order_and_nodes_run_in_a_seeded_order() -> None:
    def order(seed: str) -> list[str]:
        seen: list[str] = []
        with replaced_world(seed, lambda *_: None) as loop:

            async def main() -> None:
                for number in range(20):
                    for name in ("a", "b"):
                        run_on(nodes[name], loop.call_soon, seen.append, f"{name}{number}")
                await asyncio.sleep(1.0)

            nodes = {name: Node(name) for name in ("a", "b")}
            loop.run_task(main())
        return seen

    first = order("1")
    assert first == order("1")
    assert first != order("2")
    for name in ("a", "b"):
        assert [one for one in first if one.startswith(name)] == [f"{name}{number}" for number in range(20)]


def test_a_killed_node_runs_nothing_more() -> None:
    seen: list[str] = []
    with replaced_world("1", lambda *_: None) as loop:
        node = Node("a")

        async def work() -> None:
            try:
                await asyncio.sleep(1.0)
                seen.append("worked")
            finally:
                seen.append("ended")

        async def main() -> None:
            start_on(node, work())
            await asyncio.sleep(0.5)
            loop.kill(node)
            await asyncio.sleep(1.0)

        loop.run_task(main())
        assert seen == []


def test_a_frozen_node_goes_on_later() -> None:
    with replaced_world("1", lambda *_: None) as loop:
        node = Node("a")

        async def work() -> float:
            await asyncio.sleep(1.0)
            return loop.now

        async def main() -> float:
            task = start_on(node, work())
            await asyncio.sleep(0.5)
            loop.freeze(node, 7.0)
            return await task

        assert loop.run_task(main()) == 7.5


def test_a_wait_without_an_end_is_reported() -> None:
    with replaced_world("1", lambda *_: None) as loop:

        async def main() -> None:
            await asyncio.get_running_loop().create_future()

        with pytest.raises(NoProgress):
            loop.run_task(main())


def test_a_connection_keeps_the_order_of_its_bytes_and_loses_them_with_a_reset() -> None:
    received: list[int] = []
    with replaced_world("1", lambda *_: None) as loop:
        network = Network(Random(1))
        client, server = Node("client"), Node("server")

        async def main() -> None:
            connection = Connection(network, client, server)
            for number in range(50):
                connection.send(True, received.append, number)
            await asyncio.sleep(1.0)
            network.cut("client", "server", until_healed=True)
            connection.send(True, received.append, 50)
            await asyncio.sleep(1.0)
            assert received == list(range(50))
            network.cut("client", "server", until_healed=False)
            await asyncio.sleep(1.0)
            connection.send(True, received.append, 51)
            connection.reset()
            await asyncio.sleep(1.0)

        loop.run_task(main())
    assert received == list(range(51))


@pytest.mark.parametrize(("cut", "healed", "ended"), [(0.0, 0.0, 0.0001), (0.0, 5.0, 1.0), (0.5, 5.0, 1.0)])
def test_a_client_learns_of_the_end_of_its_server_when_messages_pass(cut: float, healed: float, ended: float) -> None:
    """Kill the server while the request is on its way, is held back by a cut, and is in progress."""
    with replaced_world("1", lambda *_: None) as loop:
        network = Network(Random(1))
        switchboard, client, node = Switchboard(network, History()), Node("token-1"), Node("account-1")
        server = Server(switchboard, node)
        switchboard.servers["account"] = {node.name: server}

        async def wait(_: bytes, __: Any) -> bytes:
            await asyncio.sleep(20.0)
            return b""

        handlers = {"Wait": grpc.unary_unary_rpc_method_handler(wait)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("sellergate.Test", handlers),))

        def end_server() -> None:
            switchboard.remove(node)
            loop.kill(node)

        async def call() -> None:
            channel = Channel(switchboard, "account", "token", ())
            await channel.unary_unary("/sellergate.Test/Wait", bytes, bytes)(b"", timeout=30.0)

        async def main() -> None:
            for at, is_cut in ((cut, True), (healed, False)):
                loop.call_later(at, partial(network.cut, client.name, node.name, until_healed=is_cut))
            loop.call_later(ended, end_server)
            await start_on(client, call())

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            loop.run_task(main())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert healed < loop.now < healed + 0.3


def test_amazons_bucket_is_a_token_bucket() -> None:
    bucket = Bucket(rate=2.0, burst=2, level=2.0, at=0.0)
    assert [bucket.take(now) for now in (0.0, 0.0, 0.0, 0.4, 0.5, 1.0, 1.0)] == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_violation_is_kept_in_the_history() -> None:
    history = History()
    history.violate("lease", "two owners")
    assert history.lines == ["   0.000000 VIOLATION    lease: two owners"]
    assert [one.invariant for one in history.violations] == ["lease"]


def test_the_loop_is_no_loop_for_input_and_output() -> None:
    loop = SimulationLoop(Random(1))
    with pytest.raises(NotImplementedError):
        loop.add_reader(0, lambda: None)
    loop.close()
