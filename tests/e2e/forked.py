"""Programs that run to their end in a fork of one process, which has imported them before.

A start of Python with gRPC, pydantic and cryptography takes a second of CPU time, and the tests run hundreds of commands. A
fork has arguments, environment, folder, standard streams and exit code of its own. Programs that a test interrupts or kills,
and all programs under coverage, are processes of their own instead.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

_PR_SET_PDEATHSIG = 1


def run(
    module: str, arguments: Sequence[str], environment: dict[str, str], typed: str = "", seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m module` to its end, with `typed` as its input. Raises TimeoutError after `seconds`."""
    command = [sys.executable, "-m", module, *arguments]
    if sys.platform != "linux" or any(name.startswith("COVERAGE") for name in os.environ):
        return subprocess.run(
            command, input=typed, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    with TemporaryFile("w+") as given, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        given.write(typed)
        given.seek(0)
        code = _run(module, arguments, environment, [given.fileno(), out.fileno(), err.fileno()], seconds)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())


def _run(
    module: str, arguments: Sequence[str], environment: dict[str, str], streams: Sequence[int], seconds: float
) -> int:
    request = {"module": module, "arguments": list(arguments), "environment": environment, "folder": str(Path.cwd())}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(_server())
        socket.send_fds(connection, [b"."], streams)
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as lines:
            if not (pid := lines.readline()):
                raise RuntimeError(f"{module} could not be imported; see the errors of the tests")
            try:
                return int(lines.readline())
            except BaseException:  # a deadline of this call or of the test
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
                raise


@cache
def _server() -> str:
    """Start the process that forks, once for all tests of this process; return its address. It ends with the tests."""
    address = f"\0sellergate-forks-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        server = subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno())],
            env=environment,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
    atexit.register(server.communicate)
    return address


def serve(listener: socket.socket) -> None:
    """Fork for each request until the tests have ended; return only in the fork, ready to run its program."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile() as lines:
            request = json.loads(lines.readline())
        importlib.import_module(f"{request['module']}.__main__")
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            raise RuntimeError(f"{request['module']} starts a thread when it is imported, and cannot be forked")
        gc.freeze()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if pid := os.fork():
                connection.sendall(f"{pid}\n".encode())
                status = os.waitpid(pid, 0)[1]
                with suppress(BrokenPipeError):
                    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                os._exit(0)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            _close(connection.detach(), listener.detach(), *streams)
            _become(request)
            return
        _close(connection.detach(), *streams)
    sys.exit()


def _close(*opened: int) -> None:
    for number in opened:
        os.close(number)


def _become(request: dict[str, Any]) -> None:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    program = sys.modules[f"{request['module']}.__main__"]
    sys.modules["__main__"] = program
    sys.argv = [str(program.__file__), *request["arguments"]]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    # The program ends as any does: with its exit code, its exit handlers, and a traceback if it fails.
    sys.modules["__main__"].main()
