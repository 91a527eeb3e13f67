"""JSON logs on standard error: one line an event, redacted, with the request's id."""

import logging
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic_core import to_json

from sellergate_common.context import current_call
from sellergate_common.redaction import redact

# Libraries log what they send: at DEBUG botocore prints credentials and httpx prints URLs. They are never given more than this.
LIBRARY_LEVEL = logging.WARNING


@dataclass
class _Bound:
    """The logger of this process, once logging is configured."""

    logger: Any = None


_bound = _Bound()


def configure_logging(service: str, level: str) -> None:
    """Send structured events of `service` at `level` ("debug", "info", …) and warnings of libraries to standard error."""

    def add_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    # What is added after the redaction is ours; the request's id was looked at when it came.
    shared: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        _redact_event,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        _add_request,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(_to_json)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
    )
    # Bound once: to bind costs as much as to write.
    _bound.logger = structlog.get_logger().bind()
    handler = logging.StreamHandler(sys.stderr)
    renderer = structlog.processors.JSONRenderer(lambda event, **options: _to_json(event, **options).decode())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LIBRARY_LEVEL)


def get_logger() -> Any:
    """Return the logger; events are snake_case words, everything else is a field."""
    return _bound.logger or structlog.get_logger()


def _to_json(event: Any, **_: Any) -> bytes:
    return to_json(event, fallback=repr)


def _add_request(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    call = current_call()
    if call is not None:
        event.setdefault("request_id", call.request_id)
    return event


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value, key) for key, value in event.items()}
