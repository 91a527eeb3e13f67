"""Relays: a TCP proxy before each server, on which a fault of the network can be started and ended."""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from sellergate_devstack.processes.ports import LOOPBACK, free_ports

DELAY_SECONDS = 0.3
# A slow link carries so many bytes at once, and pauses.
SLOW_BYTES, SLOW_PAUSE_SECONDS = 512, 0.1
_CHUNK = 65536
# How often the loop of the relays looks whether it is late.
_LOOK_SECONDS = 0.05
# More connections than the queue of a listening socket takes.
_QUEUE = 4
_LINGER_ZERO = struct.pack("ii", 1, 0)

KINDS = {
    "reset": "open connections and new ones are reset",
    "refuse": "open connections are closed, and new ones are refused",
    "blackhole": "no byte passes in either direction and no connection opens; what was sent arrives at the end",
    "delay": f"each piece of data is {DELAY_SECONDS:.1f} s late",
    "slow": f"{SLOW_BYTES / SLOW_PAUSE_SECONDS / 1024:.0f} KiB a second",
    "half-open": "open connections carry nothing any more and never end; new ones work",
    "mute": "requests arrive, responses are lost, and the connections end with the fault",
}


@dataclass(eq=False)
class _Pair:
    """A connection of a client, and the one to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    is_dead: bool = False

    def end(self, *, reset: bool) -> None:
        """Close both connections at once; `reset`: the client receives a RST."""
        if reset:
            with suppress(OSError):
                self.client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()
                writer.close()


@dataclass(eq=False)
class Relay:
    """A relay from a port of its own to a server. Use it through Relays, in whose thread it runs."""

    target: int
    port: int = field(default_factory=lambda: free_ports(1)[0])
    fault: str = ""
    connections: int = 0
    _pairs: set[_Pair] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _full: list[socket.socket] = field(default_factory=list)

    async def listen(self) -> None:
        """Accept connections."""
        self._flows.set()
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def begin(self, kind: str) -> None:
        """Start a fault of a kind of KINDS."""
        self.fault = kind
        if kind == "blackhole":
            self._flows.clear()
            self._stop_listening()
            self._full = unaccepting(self.port)
        if kind == "refuse":
            await self.stop()
        for pair in list(self._pairs):
            if kind in ("reset", "refuse"):
                pair.end(reset=kind == "reset")
            elif kind == "half-open":
                pair.is_dead = True

    async def end(self) -> None:
        """End the fault. Connections that it made useless stay so, as in a network."""
        ended, self.fault = self.fault, ""
        if ended == "mute":
            for pair in list(self._pairs):
                pair.end(reset=False)
        for one in self._full:
            one.close()
        self._full.clear()
        self._flows.set()
        if ended in ("blackhole", "refuse"):
            await self.listen()

    async def end_dead(self) -> None:
        """End the connections that carry nothing any more."""
        for pair in list(self._pairs):
            if pair.is_dead:
                pair.end(reset=False)

    async def stop(self) -> None:
        """Stop to listen, and end all connections."""
        self._stop_listening()
        for one in self._full:
            one.close()
        for pair in list(self._pairs):
            pair.end(reset=False)

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(writer)
        self._pairs.add(pair)
        self.connections += 1
        try:
            if self.fault == "reset":
                pair.end(reset=True)
                return
            await self._flows.wait()
            from_server, pair.server = await asyncio.open_connection(LOOPBACK, self.target)
            copies = [
                asyncio.create_task(self._copy(reader, pair.server, pair, is_response=False)),
                asyncio.create_task(self._copy(from_server, writer, pair, is_response=True)),
            ]
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            # A dead connection ends with the first side that gives up; any other when both sides have.
            if not pair.is_dead:
                await asyncio.wait(copies)
            for copy in copies:
                copy.cancel()
        except OSError:
            pass
        finally:
            pair.end(reset=False)
            self._pairs.discard(pair)

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: _Pair, *, is_response: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.fault == "delay":
                    await asyncio.sleep(DELAY_SECONDS)
                await self._flows.wait()
                if pair.is_dead or (is_response and self.fault == "mute"):
                    continue
                while data:
                    size = SLOW_BYTES if self.fault == "slow" else len(data)
                    writer.write(data[:size])
                    await writer.drain()
                    data = data[size:]
                    if self.fault == "slow":
                        await asyncio.sleep(SLOW_PAUSE_SECONDS)
        if not pair.is_dead:
            with suppress(OSError, RuntimeError):
                writer.write_eof()


def unaccepting(port: int) -> list[socket.socket]:
    """Listen on a port without accepting, with a full queue, so that attempts to connect get no response."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((LOOPBACK, port))
    listening.listen(0)
    waiting = [socket.socket() for _ in range(_QUEUE)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex((LOOPBACK, port))
    return [listening, *waiting]


class Relays:
    """All relays, in a thread with a loop of its own, so that they work while the main thread waits."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._thread.start()
        self.links: dict[str, list[Relay]] = {}
        self._late = 0.0
        asyncio.run_coroutine_threadsafe(self._watch(), self._loop)

    def lateness(self) -> float:
        """Return the most seconds by which the loop was late since the last call: so late was what passed through the relays."""
        late, self._late = self._late, 0.0
        return late

    async def _watch(self) -> None:
        while True:
            due = self._loop.time() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            self._late = max(self._late, self._loop.time() - due)

    def add(self, link: str, target: int) -> int:
        """Start a relay of a link to a server's port; return the relay's port."""
        relay = Relay(target)
        self._run(relay.listen())
        self.links.setdefault(link, []).append(relay)
        return relay.port

    def begin(self, link: str, kind: str) -> None:
        """Start a fault on all relays of a link."""
        for relay in self.links[link]:
            self._run(relay.begin(kind))

    def end(self, link: str) -> None:
        """End the fault of a link."""
        for relay in self.links[link]:
            self._run(relay.end())

    def connections(self, link: str = "") -> int:
        """Return the number of connections that are open through the relays of a link, or through all."""
        chosen = [self.links[link]] if link else list(self.links.values())
        return sum(len(relay._pairs) for relays in chosen for relay in relays)

    @property
    def dead(self) -> int:
        """The number of connections that carry nothing any more, and that neither side has given up."""
        return sum(pair.is_dead for relays in self.links.values() for relay in relays for pair in list(relay._pairs))

    def end_dead(self) -> None:
        """End the connections that carry nothing any more, so that they disturb no later fault."""
        for relays in self.links.values():
            for relay in relays:
                self._run(relay.end_dead())

    def close(self) -> None:
        """End all relays and their thread."""
        for relays in self.links.values():
            for relay in relays:
                self._run(relay.stop())
        self._run(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


async def _end_tasks() -> None:
    """Cancel all other tasks of this loop, and wait until they have ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # transports that were aborted close their sockets
