"""Redis: fakeredis with Lua as one node, reached over simulated connections, with its own clock."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from functools import lru_cache, partial
from random import Random
from typing import Any

import hiredis
from fakeredis import FakeServer, _commands, _msgs
from fakeredis._helpers import NoResponse, SimpleError, SimpleString
from fakeredis._socket._fakesocket import FakeSocket
from fakeredis._socket._resp import convert_to_resp2, extract_command
from fakeredis.commands_mixins import scripting_mixin
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES

from simulation.world.arguments import apply
from simulation.world.loop import EPOCH, Node, later_on, run_on
from simulation.world.network import Connection, Network

# fakeredis looks for new globals before each command of a script. Real servers, which refuse them, run the scripts in other tests.
scripting_mixin._check_for_lua_globals = lambda *_: None
_commands.Signature.apply = apply
# The longest time for which the reply to a renewal is held back, in seconds: less than the owner waits.
LATEST_RENEWAL_SECONDS = 1.5
# Replies that meet are delivered within so many callbacks of the client.
MOST_CALLBACKS_APART = 5
# The longest time by which a request for a lease that is held arrives late, in seconds: its owner has done its work meanwhile.
LATEST_ACQUIRE_SECONDS = 0.25
_WRITING = frozenset({b"SET", b"DEL", b"EVAL", b"EVALSHA"})
# Results that need no conversion between versions of the protocol.
_AS_THEY_ARE = frozenset({bytes, int, type(None), SimpleString})
_PUSHED = (b"message", b"subscribe", b"unsubscribe")
Watch = Callable[[str, list[bytes]], None]
"""A function that sees each command after it was executed: the client's name and the command's parts."""


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
        self.server = run_on(node, _new_server)

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

    def execute(self, client: str, socket: "_Socket", data: bytes) -> None:
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
        self.server = run_on(self.node, _new_server)

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


class _Lua:
    """A Lua runtime that compiles each script once, and leaves the collection of its garbage to Lua."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._compiled: dict[Any, Any] = {}
        self.table_from = runtime.table_from

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def execute(self, script: Any) -> Any:
        """Run a script."""
        if script == "collectgarbage()":
            return None
        compiled = self._compiled.get(script)
        if compiled is None:
            compiled = self._compiled[script] = self._runtime.compile(script)
        return compiled()


_LUA: dict[str, Any] = {}
"""The parts of fakeredis' Lua runtime, which takes longer to start than a run may last. Scripts leave nothing in it."""


def _new_server() -> FakeServer:
    """Return an empty server with the Lua runtime of the servers before."""
    server = FakeServer((7,))
    if not _LUA:
        started = FakeServer((7,))
        socket = FakeSocket(started, 0, client_class=asyncio.Protocol)
        socket._get_server_runtime(started)
        _LUA.update({name: value for name, value in vars(started).items() if name.startswith("_lua")})
        _LUA["_lua_runtime"] = _Lua(_LUA["_lua_runtime"])
    vars(server).update(_LUA)
    return server


class _Socket(FakeSocket):
    """A client's socket at the server. Its hash is its number, so that publications reach sockets in the same order each time."""

    client_name = ""
    is_open = True
    watched: Watch | None = None
    reply: Callable[[bytes], None]
    mutes: Callable[[list[bytes]], bool]

    def __init__(self, server: FakeServer, number: int) -> None:
        self._number = number
        self.commands = hiredis.Reader()
        self.command: list[bytes] = []
        super().__init__(server, 0, client_class=asyncio.Protocol)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other

    def put_response(self, msg: Any) -> None:
        """Send a response or a published message."""
        self.reply(
            encode(msg, pushed=self._resp_version == 3 and isinstance(msg, list) and msg[:1] and msg[0] in _PUSHED)
        )

    def process_late(self, fields: list[bytes]) -> None:
        """Process a command that was late; its client waits for the response before it sends another one."""
        if self.is_open:
            self._process_command(fields)

    def _process_command(self, fields: list[bytes]) -> None:
        if self.mutes(fields):
            self.put_response(0)
            return
        self.command = fields
        name, arguments = _NAMES.get(fields[0]), fields[1:]
        if name is None:
            name, arguments = extract_command(fields)
        if self._transaction is not None or name in _SPECIAL:
            super()._process_command(fields)
        else:
            self._execute(name, arguments)
        if self.watched is not None:
            self.watched(self.client_name, fields)

    def _execute(self, name: str, arguments: list[bytes]) -> None:
        """Execute a command outside of a transaction. This server has no users, no threads and no suppressed responses."""
        server: Any = self._server
        while server.closed_sockets:
            closed = server.closed_sockets.pop()()
            if closed is not None:
                closed._cleanup(server)
        now = time.time()
        for database in server.dbs.values():
            database.time = now
        try:
            function, signature = self._name_to_func(name)
            signature.check_arity(arguments, self.version)
            with server.lock:
                result = self._run_command(function, signature, arguments, False)
        except SimpleError as error:
            result = error
        if type(result) is not bytes and type(result) is not int:
            result = self._decode_result(result)
        if not isinstance(result, NoResponse):
            self.put_response(result)

    def _run_command(self, function: Any, signature: Any, arguments: list[Any], from_script: bool) -> Any:
        """Run a command. Nothing subscribes to notifications of keys."""
        if from_script and _msgs.FLAG_NO_SCRIPT in signature.flags:
            return SimpleError(_msgs.COMMAND_IN_SCRIPT_MSG)
        if self._pubsub and signature.name not in self.ACCEPTED_COMMANDS_WHILE_PUBSUB:
            return SimpleError(_msgs.BAD_COMMAND_IN_PUBSUB_MSG)
        items: list[Any] = []
        try:
            ready = signature.apply(arguments, self._db, self.version)
            if len(ready) == 1:
                return ready[0]
            arguments, items = ready
            result = function(*arguments)
            if type(result) not in _AS_THEY_ARE and self._resp_version == 2:
                result = convert_to_resp2(result)
        except SimpleError as error:
            result = error
        for item in items:
            if item.is_modified:
                item.writeback(remove_empty_val=_msgs.FLAG_LEAVE_EMPTY_VAL not in signature.flags)
        return result

    def _lua_redis_call(self, runtime: Any, _: Any, command: bytes, *arguments: Any) -> Any:
        """Execute a command of a script."""
        function, signature = self._name_to_func(command.decode().lower())
        given = [one if type(one) is bytes else scripting_mixin._convert_redis_arg(one) for one in arguments]
        result = self._run_command(function, signature, given, True)
        if type(result) is list:
            # Tables are made of lists for Lua; a value that is missing is false there.
            return runtime.table_from(
                [one if type(one) is bytes else self._convert_redis_result(runtime, one) for one in result]
            )
        return result if type(result) in (bytes, int) else self._convert_redis_result(runtime, result)

    def _convert_lua_result(self, result: Any, nested: bool = True) -> Any:
        return result if type(result) in (bytes, int) else super()._convert_lua_result(result, nested)

    def eval(self, script: bytes, numkeys: int, *keys_and_args: bytes) -> Any:
        """Run a script, which is compiled once."""
        server: Any = self._server
        server.script_cache[_digest(script)] = script
        runtime = server._lua_runtime
        server._lua_current_socket[0] = self
        self._script_resp = 2
        server._lua_set_keys_argv(
            runtime.table_from(keys_and_args[:numkeys]), runtime.table_from(keys_and_args[numkeys:])
        )
        try:
            result = runtime.execute(script)
        except scripting_mixin.LUA_MODULE.LuaError as error:
            raise SimpleError(f"ERR {error} script: {_digest(script).decode()}") from None
        finally:
            self._script_resp = None
        return self._convert_lua_result(result, nested=False)


_NAMES = {name.upper().encode(): name for name in ("eval", "evalsha", "get", "set", "del", "pttl", "publish")}
"""The names under which fakeredis knows the commands that are sent most often."""
# Commands that the shorter way of `_execute` does not know: those of transactions and connections.
_SPECIAL = frozenset({"multi", "exec", "discard", "watch", "unwatch", "auth", "client reply", "reset"})


@lru_cache(256)
def _digest(script: bytes) -> bytes:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()


def encode(value: Any, *, pushed: Any = False) -> bytes:
    """Return a value in the protocol of Redis (RESP)."""
    if type(value) is bytes:
        return b"$%d\r\n%s\r\n" % (len(value), value)
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, bool | int):
        return b":%d\r\n" % value
    if isinstance(value, list | tuple):
        return b"%s%d\r\n%s" % (b">" if pushed else b"*", len(value), b"".join(map(encode, value)))
    if isinstance(value, dict):
        parts = [encode(part) for pair in value.items() for part in pair]
        return b"%%%d\r\n%s" % (len(value), b"".join(parts))
    if isinstance(value, Exception):
        code = b"NOSCRIPT " if type(value).__name__ == "NoScriptError" else b"ERR "
        return b"-%s%s\r\n" % (b"" if str(value).startswith("READONLY ") else code, str(value).encode())
    return encode(str(value).encode())


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
        self._socket = run_on(redis.node, _Socket, redis.server, len(redis.connections) + redis.server._next_client_id)
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
