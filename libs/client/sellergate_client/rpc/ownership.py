"""The process and event loop that opened a client: its connections work in no other."""

import asyncio
import os

# The process that opened the first client; a forked process inherits the entry.
_OPENED = dict[str, int]()
_HOW = 'Start child processes before the parent opens its first client, or with the method "spawn" of multiprocessing.'


class ClientUseError(RuntimeError):
    """A use of a client where its connections cannot work; nothing was sent. The message says what to do."""


class Owner:
    """The process and event loop that opened a client."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.get_running_loop()

    def check(self) -> None:
        """Raise ClientUseError in another process, and in another event loop."""
        check_process(self._process)
        if running_loop() not in (None, self._loop):
            raise ClientUseError(
                "This client was opened in another event loop. Open one in each event loop, or use"
                " sellergate_client.sync, which any thread may call."
            )


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def check_process(process: int) -> None:
    """Raise ClientUseError unless this is the process with the id `process`."""
    if os.getpid() != process:
        raise ClientUseError(
            f"This client was opened before the process forked, and its connections belong to the parent. {_HOW}"
        )


def check_fork() -> None:
    """Raise ClientUseError in a process that forked after a client had been opened: a call of gRPC would never end in it."""
    opened = _OPENED.setdefault("process", os.getpid())
    if opened != os.getpid():
        raise ClientUseError(
            f"This process forked after its parent had opened a client, and gRPC does not work in it. {_HOW}"
        )
