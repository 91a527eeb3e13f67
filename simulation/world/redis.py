"""Redis: fakeredis with Lua as one node, reached over simulated connections, with its own clock."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from fakeredis._helpers import SimpleError
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES

from simulation.world.loop import EPOCH, Node, later_on, run_on
from simulation.world.network import Connection, Network
from simulation.world.redis_server import Socket, Watch, new_server

# The longest time for which the reply to a renewal is held back, in seconds: less than the owner waits.
LATEST_RENEWAL_SECONDS = 1.5
# Replies that meet are delivered within so many callbacks of the client.
MOST_CALLBACKS_APART = 5
# The longest time by which a request for a lease that is held arrives late, in seconds: its owner has done its work meanwhile.
LATEST_ACQUIRE_SECONDS = 0.25
_WRITING = frozenset({b"SET", b"DEL", b"EVAL", b"EVALSHA"})


class SimulatedRedis:
    """The server. `watch` sees each command; while `muted` is above 0, publications of changed accounts are lost."""

    def __init__(self, node: Node, network: Network, watch: Watch, random: Random) -> None:
        self.node = node
        self._random = random
        self._network = network
        self._watch = watch
        self.connections: list[_Transport] = []
        self.muted = 0
        self.holds_renewals = 0
        """While above 0, replies to renewals of leases wait for the reply to the owner's last command, and meet it."""
        self.readonly = 0
        """While above 0, commands that write are refused."""
        self.late_acquires = 0
        """While above 0, requests for leases that are held arrive late."""
        self._held: dict[str, list[Callable[[], None]]] = {}
        self.server = run_on(node, new_server)

    async def connect(self, client: Node, factory: Callable[[], asyncio.Protocol], _: str) -> Any:
        """Open a connection, as `loop.create_connection` does. Raises ConnectionRefusedError."""
        loop = asyncio.get_running_loop()
        accepted = loop.create_future()
        network, connection = self._network, Connection(self._network, client, self.node)

        def accept() -> None:
            network.send(self.node, client, lambda: accepted.done() or accepted.set_result(None))

        network.send(client, self.node, accept)
        await accepted
        if not self.node.alive:
            raise ConnectionRefusedError("Redis is down")
        protocol = factory()
        transport = _Transport(self, connection, client, protocol)
        self.connections.append(transport)
        protocol.connection_made(transport)
        return transport, protocol

    def execute(self, client: str, socket: "Socket", data: bytes) -> None:
        """Execute the commands in a part of a stream."""
        socket.client_name, socket.watched = client, self._watch
        socket.commands.feed(data)
        while (fields := socket.commands.gets()) is not False:
            if self.readonly and fields[0].upper() in _WRITING:
                socket.put_response(SimpleError("READONLY You can't write against a read only replica."))
            elif self.late_acquires and _kind(fields) == "acquire" and self.value(fields[3]) is not None:
                later_on(self.node, self._random.random() * LATEST_ACQUIRE_SECONDS, socket.process_late, fields)
            else:
                socket._process_command(fields)

    def hold(self, client: str, deliver: Callable[[], None]) -> None:
        """Hold the reply to a renewal back until the client gets the reply to a store, for LATEST_RENEWAL_SECONDS at most."""
        held = self._held.setdefault(client, [])
        held.append(deliver)

        def give_up() -> None:
            if deliver in held:
                held.remove(deliver)
                deliver()

        later_on(self.node, LATEST_RENEWAL_SECONDS, give_up)

    def meet(self, client: str, deliver: Callable[[], None]) -> None:
        """Deliver the reply to a store, and the replies that were held back, within a few callbacks of each other."""
        held = self._held.get(client, [])
        replies = [deliver, *held]
        held.clear()
        for one in replies:
            _after(int(self._random.random() * MOST_CALLBACKS_APART), one)

    def lose_data(self) -> None:
        """Restart without data: all connections are lost."""
        self.reset("")
        self.server = run_on(self.node, new_server)

    def garble(self, seal: Callable[[str, str], str]) -> None:
        """Replace the entries of caches, half of them by text that is sealed and has another shape."""
        for key, item in self.server.dbs[0]._dict.items():
            if isinstance(item.value, bytes) and key.endswith((b"}", b":fail", b":cool")):
                garbled = seal('{"shape": 2}', key.decode()) if self._random.random() < 0.5 else "?"
                item.value = garbled.encode()

    def mutes(self, fields: list[bytes]) -> bool:
        """Return whether a command is a change of an account whose publication is lost at present."""
        return bool(self.muted) and fields[0].upper() == b"PUBLISH" and fields[1] == ACCOUNT_CHANGES.encode()

    def reset(self, client: str) -> int:
        """Reset the connections of a client ("": all), and return how many there were."""
        chosen = [one for one in self.connections if not client or one.client.name == client]
        for transport in chosen:
            transport.connection.reset()
        return len(chosen)

    def value(self, key: bytes) -> bytes | None:
        """Return the present text of a key; None where there is none."""
        return self.value_and_end(key)[0]

    def value_and_end(self, key: bytes) -> tuple[bytes | None, float]:
        """Return the present text of a key, and the time of the run at which it expires (0 without an end)."""

        def read() -> tuple[bytes | None, float]:
            item = self.server.dbs[0]._dict.get(key)  # a look-up of the database would remove what has expired
            if item is None or (item.expireat is not None and item.expireat <= time.time()):
                return None, 0.0
            return item.value, item.expireat - EPOCH - self.node.skew if item.expireat else 0.0

        found: tuple[bytes | None, float] = run_on(self.node, read)
        return found

    def living_keys(self) -> list[bytes]:
        """Return the names of all keys that have not expired, sorted."""
        return sorted(key for key in list(self.server.dbs[0]._dict) if self.value(key) is not None)


def _after(callbacks: int, deliver: Callable[[], None]) -> None:
    """Call back as a part of the present node, after some of its callbacks."""
    if callbacks:
        asyncio.get_running_loop().call_soon(_after, callbacks - 1, deliver)
    else:
        deliver()


def _kind(command: list[bytes]) -> str:
    """Return "acquire" for a request for a lease, "renewal" for its renewal, "store" for the store of a result, "" for others."""
    if len(command) < 4 or command[0] != b"EVAL":
        return ""
    if command[3].endswith(b":lease"):
        return "renewal" if b"PEXPIRE" in command[1] else "acquire" if b"'NX'" in command[1] else ""
    return "store" if command[2] == b"2" and command[3].endswith(b"}") else ""


class _Transport(asyncio.Transport):
    """The client's end of a connection."""

    def __init__(self, redis: SimulatedRedis, connection: Connection, client: Node, protocol: Any) -> None:
        super().__init__()
        self.client = client
        self.connection = connection
        self._redis = redis
        self._protocol = protocol
        self._closing = False
        self._socket = run_on(redis.node, Socket, redis.server, len(redis.connections) + redis.server._next_client_id)
        self._socket.reply = self._reply
        self._socket.mutes = redis.mutes
        connection.on_loss.append(self._lost)

    def write(self, data: Any) -> None:
        """Send bytes to the server."""
        self.connection.send(True, self._redis.execute, self.client.name, self._socket, bytes(data))

    def _reply(self, data: bytes) -> None:
        redis, kind = self._redis, _kind(self._socket.command) if self._redis.holds_renewals else ""
        if kind == "renewal":
            redis.hold(self.client.name, partial(run_on, self.client, self._receive, data))
        elif kind == "store":
            self.connection.send(False, redis.meet, self.client.name, partial(self._receive, data))
        else:
            self.connection.send(False, self._receive, data)

    def _receive(self, data: bytes) -> None:
        if not self._closing:
            self._protocol.data_received(data)

    def _lost(self) -> None:
        """Drop the server's end at once; the client learns of it after a moment."""
        self._drop()
        if not self._closing:
            self._closing = True
            error = ConnectionResetError("the connection was reset")
            later_on(self.client, 0.001, self._protocol.connection_lost, error)

    def _drop(self) -> None:
        if self in self._redis.connections:
            self._redis.connections.remove(self)
            self._socket.is_open = False
            run_on(self._redis.node, self._socket.close)

    def close(self) -> None:
        """Close the connection."""
        if not self._closing:
            self._closing = True
            self.connection.open = False
            self._drop()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        """Return whether the connection is closing or lost."""
        return self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002
        """Return nothing: there is no socket."""
        return default

    def get_protocol(self) -> Any:
        """Return the protocol."""
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        """Replace the protocol."""
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Return 0: all bytes are on their way."""
        return 0

    def pause_reading(self) -> None:
        """Do nothing: messages are small."""

    resume_reading = pause_reading
