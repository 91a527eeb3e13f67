"""JSON logs on standard error: one line an event, redacted, with the request's id."""

import asyncio
import logging
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import structlog
from pydantic_core import to_json

from sellergate_common.context import current_call
from sellergate_common.redaction import redact

# Libraries log what they send: at DEBUG botocore prints credentials and httpx prints URLs. They are never given more than this.
LIBRARY_LEVEL = logging.WARNING
# A process that is killed takes the lines of this long with it.
GATHERED_SECONDS = 0.01


class _Gathered:
    """Writes lines a moment after they came, with all others of that moment: a busy server has dozens of them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._flush = stream.flush
        self._loop: asyncio.AbstractEventLoop | None = None
        self.write = stream.write

    def flush(self) -> None:
        """Flush in a moment, or now where no loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush()
            return
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(GATHERED_SECONDS, self._end)

    def _end(self) -> None:
        self._loop = None
        self._flush()


class _Line:
    """The last processor of an event, and the only one: this is done for every call."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> bytes:
        """Return the event as a line of JSON. What comes after the redaction is ours; ids of requests are looked at on arrival."""
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, name, event)
        fields = {key: redact(value, key) for key, value in event.items()}
        fields["level"] = name
        fields["timestamp"] = datetime.now(UTC).isoformat()[:-6] + "Z"
        fields["service"] = self._service
        call = current_call()
        if call is not None:
            fields.setdefault("request_id", call.request_id)
        return to_json(fields, fallback=repr)


@dataclass
class _Bound:
    """The logger of this process, once logging is configured."""

    logger: Any = None


_bound = _Bound()


def configure_logging(service: str, level: str) -> None:
    """Send structured events of `service` at `level` ("debug", "info", …) and warnings of libraries to standard error."""
    line = _Line(service)
    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _Gathered(sys.stderr.buffer))),
    )
    # Bound once: to bind costs as much as to write.
    _bound.logger = structlog.get_logger().bind()
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
    """Return the logger; events are snake_case words, everything else is a field."""
    return _bound.logger or structlog.get_logger()
