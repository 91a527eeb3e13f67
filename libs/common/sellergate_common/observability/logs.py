"""JSON logs on standard error: one redacted line for each event, with the request ID."""

import asyncio
import atexit
import logging
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, cast

import structlog
from pydantic_core import to_json

from sellergate_common.context import CallContext, current_call, trace_id
from sellergate_common.observability.redaction import redact

# The lowest level of libraries: at DEBUG botocore prints credentials and httpx prints URLs.
LIBRARY_LEVEL = logging.WARNING
# A killed process loses the lines of this many seconds.
GATHERED_SECONDS = 0.01


_LEVELS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}


def _now() -> str:
    seconds = time.time()
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1_000_000):06}Z"


@lru_cache(4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class _LineBuffer:
    """A buffer that writes the lines of a moment together: a busy server logs dozens in it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: list[bytes] = []
        self.write = self._lines.append
        atexit.register(self._end)

    def flush(self) -> None:
        """Schedule a write, or write at once where no event loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._end()
            return
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(GATHERED_SECONDS, self._end)

    def _end(self) -> None:
        self._loop = None
        count = len(self._lines)  # other threads may add lines meanwhile
        lines = b"".join(self._lines[:count])
        del self._lines[:count]
        self._stream.write(lines)
        self._stream.flush()


class _Line:
    """The only structlog processor: one, because it runs for every call."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> bytes:
        """Return the event as a line of JSON. Fields added after the redaction hold no input except checked request IDs."""
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, name, event)
        more = {"timestamp": _now()}
        call = current_call()
        if call is not None and "request_id" not in event:
            more["request_id"] = call.request_id
            if call.account_id:
                more["account_id"] = call.account_id
            if call.operation:
                more["operation"] = call.operation
            if trace := trace_id(call):
                more["trace_id"] = trace
        return self.render(name, event, **more)

    def render(self, level: str, event: Mapping[str, Any], **more: str) -> bytes:
        """Return a line without its end."""
        fields = {key: redact(value, key) for key, value in event.items()}
        return to_json({**fields, "level": level, "service": self._service, **more}, fallback=repr)


@dataclass
class _Bound:
    """The logger of this process after the configuration, and its writer of call lines."""

    logger: Any = None
    write_call: Callable[[str, CallContext, float], None] | None = None


class _CallLines:
    """A writer of the line of each call. It formats JSON by hand, because all but three values repeat and are cached."""

    def __init__(self, line: _Line, stream: _LineBuffer, least: int) -> None:
        self._line = line
        self._stream = stream
        self._least = least

    def write(self, level: str, call: CallContext, milliseconds: float) -> None:
        """Write one line, unless its level is below the configured one."""
        if _LEVELS[level] >= self._least:
            head = self._head(level, call.method, call.reason or "OK", call.caller.identity, call.operation)
            tail = b',"milliseconds":%.2f,"timestamp":"%s","request_id":%s%s}\n'
            more = b',"account_id":"%s"' % call.account_id.encode() if call.account_id else b""
            if call.traceparent:
                more += b',"trace_id":"%s"' % trace_id(call).encode()
            self._stream.write(head + tail % (milliseconds, _now().encode(), to_json(call.request_id), more))
            self._stream.flush()

    @lru_cache(4096)  # noqa: B019  (one instance a process)
    def _head(self, level: str, method: str, reason: str, caller: str, operation: str) -> bytes:
        fields = {"event": "rpc", "method": method, "reason": reason, "caller": caller}
        return self._line.render(level, fields | ({"operation": operation} if operation else {}))[:-1]


_bound = _Bound()


def configure_logging(service: str, level: str) -> None:
    """Send structured events of `service` at `level` ("debug", "info", …) and warnings of libraries to standard error."""
    line, stream, least = _Line(service), _LineBuffer(sys.stderr.buffer), _LEVELS[level]
    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", stream)),
    )
    # Bound once, because binding costs as much as writing.
    _bound.logger = structlog.get_logger().bind()
    _bound.write_call = _CallLines(line, stream, least).write
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                lambda logger, name, event: line(logger, name, event).decode(),
            ]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LIBRARY_LEVEL)


def get_logger() -> Any:
    """Return the logger; an event is named in snake_case, and everything else is a field."""
    return _bound.logger or structlog.get_logger()


def log_call(level: str, call: CallContext, milliseconds: float) -> None:
    """Log a call that has ended."""
    if _bound.write_call is not None:
        _bound.write_call(level, call, milliseconds)
        return
    fields = {"method": call.method, "reason": call.reason or "OK", "caller": call.caller.identity}
    getattr(get_logger(), level)("rpc", **fields, milliseconds=round(milliseconds, 2))
