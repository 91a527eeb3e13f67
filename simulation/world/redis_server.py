"""The server of the simulated Redis: fakeredis with Lua, and a shorter way for commands outside of transactions."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import hiredis
from fakeredis import FakeServer, _commands, _msgs
from fakeredis._helpers import NoResponse, SimpleError, SimpleString
from fakeredis._socket._fakesocket import FakeSocket
from fakeredis._socket._resp import convert_to_resp2, extract_command
from fakeredis.commands_mixins import scripting_mixin

from simulation.world.arguments import apply

# fakeredis looks for new globals before each command of a script. Real servers, which refuse them, run the scripts in other tests.
scripting_mixin._check_for_lua_globals = lambda *_: None
_commands.Signature.apply = apply
# Results that need no conversion between versions of the protocol.
_AS_THEY_ARE = frozenset({bytes, int, type(None), SimpleString})
_lua_type = scripting_mixin.LUA_MODULE.lua_type
VERSION = (7,)
"""The version of Redis."""
_PUSHED = (b"message", b"subscribe", b"unsubscribe")
Watch = Callable[[str, list[bytes]], None]
"""A function that sees each command after it was executed: the client's name and the command's parts."""


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


def new_server() -> FakeServer:
    """Return an empty server with the Lua runtime of the servers before."""
    server = FakeServer(VERSION)
    if not _LUA:
        started = FakeServer(VERSION)
        socket = FakeSocket(started, 0, client_class=asyncio.Protocol)
        socket._get_server_runtime(started)
        _LUA.update({name: value for name, value in vars(started).items() if name.startswith("_lua")})
        _LUA["_lua_runtime"] = _Lua(_LUA["_lua_runtime"])
    vars(server).update(_LUA)
    return server


class Socket(FakeSocket):
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
            ready = signature.apply(arguments, self._db, VERSION)
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
        if type(result) is bytes or type(result) is int:
            return result
        if _lua_type(result) != "table" or (item := result[1]) is None:
            return super()._convert_lua_result(result, nested)
        items: list[Any] = []
        while item is not None:
            items.append(self._convert_lua_result(item))
            item = result[len(items) + 1]
        return items

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


_NAMES = {name.upper().encode(): name for name in ("eval", "evalsha", "get", "set", "del", "pttl", "publish", "ping")}
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
    if type(value) is str:
        return encode(value.encode())
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
