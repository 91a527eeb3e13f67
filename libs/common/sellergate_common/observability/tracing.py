"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names the receiver; where it is not set, nothing is loaded or done.

Spans hold names of RPCs, commands and operations, statuses and request ids: never a URL, a key, a statement or a body. How many
calls are traced is said by the standard OTEL_TRACES_SAMPLER; a caller's own decision (traceparent) comes first.
"""

import atexit
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, cast

from pydantic import Field

from sellergate_common.context import current_call
from sellergate_common.settings import Settings, read_settings

Kind = Literal["server", "client"]


class TraceSettings(Settings):
    """Where spans go."""

    endpoint: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")


class Span(Protocol):
    """What is being timed."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Note something about it."""


class _Untraced:
    """A span that is not recorded."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set_attribute(self, key: str, value: Any) -> None:
        """Forget it."""


_UNTRACED = _Untraced()


@dataclass
class _Tracing:
    """The tracer of this process, once tracing is configured, and OpenTelemetry's own words."""

    tracer: Any = None
    kinds: Any = None
    propagator: Any = None


_tracing = _Tracing()


def configure_tracing(service: str) -> None:
    """Send spans of `service` to the collector of the environment, if there is one."""
    if read_settings(TraceSettings).endpoint is None:
        return
    from opentelemetry import trace  # noqa: PLC0415  (only where traces are exported)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"sellergate-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    atexit.register(provider.shutdown)
    _tracing.tracer = provider.get_tracer("sellergate")
    _tracing.kinds = trace.SpanKind
    _tracing.propagator = TraceContextTextMapPropagator()


def span(name: str, kind: Kind = "client", **attributes: str) -> AbstractContextManager[Span]:
    """Time what the body does, below whatever is being timed."""
    if _tracing.tracer is None:
        return _UNTRACED
    return _start_span(name, kind, None, attributes)


def server_span(name: str, traceparent: str, **attributes: str) -> AbstractContextManager[Span]:
    """Time a call that is served, below what its caller is timing (W3C trace context)."""
    if _tracing.tracer is None:
        return _UNTRACED
    parent = _tracing.propagator.extract({"traceparent": traceparent}) if traceparent else None
    return _start_span(name, "server", parent, attributes)


def traceparent() -> str:
    """Return the trace context that goes along with a call: that of the span here, or what the caller of this one sent."""
    if _tracing.tracer is not None:
        carrier: dict[str, str] = {}
        _tracing.propagator.inject(carrier)
        if carrier:
            return carrier["traceparent"]
    call = current_call()
    return call.traceparent if call else ""


def _start_span(name: str, kind: Kind, parent: Any, attributes: dict[str, str]) -> AbstractContextManager[Span]:
    # Only the class of an exception is recorded: its message and stack may hold what belongs in no trace.
    found = _tracing.tracer.start_as_current_span(
        name,
        context=parent,
        kind=getattr(_tracing.kinds, kind.upper()),
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=True,
    )
    return cast("AbstractContextManager[Span]", found)
