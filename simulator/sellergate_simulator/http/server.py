"""The server of all ports: it reports when it listens, and stops cleanly on SIGTERM or SIGINT."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping

from aiohttp import web

from sellergate_simulator.assembly import RequestHandler
from sellergate_simulator.http.bodies import UnreadableBody
from sellergate_simulator.http.responses import errors_response

# The seconds for requests in progress at the stop signal, so that the process ends within two seconds.
_GRACE_SECONDS = 1.0
# More than the edge accepts: aiohttp refuses a longer line with a body even where the request is HEAD, and no client can
# read that response.
_MAX_LINE_BYTES = 65_536


async def serve(
    handlers: Mapping[str, RequestHandler], host: str, wanted: Mapping[str, int], ports: dict[str, int]
) -> None:
    """Serve each handler on its requested port (0: any) until a signal arrives. Fills `ports` with the actual ones.

    Once all listen, print one JSON line {"event": "listening", "host", "ports"} to stdout for the parent process.
    Raises OSError when a port is in use; no port listens then.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runners = []
    try:
        for name, handler in handlers.items():
            server = web.Server(
                _refusing_unreadable(handler),
                access_log=None,
                auto_decompress=False,
                max_line_size=_MAX_LINE_BYTES,
                max_field_size=_MAX_LINE_BYTES,
            )
            runner = web.ServerRunner(server)
            runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, host, wanted[name], shutdown_timeout=_GRACE_SECONDS).start()
            ports[name] = int(runner.addresses[0][1])
        print(json.dumps({"event": "listening", "host": host, "ports": ports}), flush=True)  # noqa: T201  (see above)
        await stop.wait()
    finally:
        await asyncio.gather(*(runner.cleanup() for runner in runners))


def _refusing_unreadable(handler: RequestHandler) -> RequestHandler:
    """Return a handler that responds 400 to a body that its Content-Encoding cannot decode."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except UnreadableBody:
            message = "The body cannot be decoded by its Content-Encoding."
            return errors_response(400, "InvalidInput", message).to_aiohttp()

    return handle


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return uvloop's loop factory where it is installed, else asyncio's."""
    try:
        import uvloop  # noqa: PLC0415  (an optional dependency)
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


class JsonLines(logging.Formatter):
    """A formatter of logs: one JSON object per line with time, level, event and the fields of `extra`."""

    _ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        extra = {key: value for key, value in vars(record).items() if key not in self._ORDINARY}
        line = {"time": record.created, "level": record.levelname.lower(), "event": record.getMessage(), **extra}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(level: str) -> None:
    """Log lines from a level upwards to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("sellergate_simulator").setLevel(level.upper())
