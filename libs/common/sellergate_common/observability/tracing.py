"""OpenTelemetry traces, sent to the receiver in OTEL_EXPORTER_OTLP_ENDPOINT; without that setting nothing is loaded.

Spans hold names of RPCs, commands and operations, statuses and request IDs: never a URL, a key, a statement or a body.
The standard OTEL_TRACES_SAMPLER determines which calls are traced; a caller's decision (traceparent) takes precedence.
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
    """The receiver of spans."""

    endpoint: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")


class Span(Protocol):
    """A timed piece of work."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute of the span."""


class _Untraced:
    """A span that is not recorded."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set_attribute(self, key: str, value: Any) -> None:
        """Ignore the attribute."""


_UNTRACED = _Untraced()


@dataclass
class _Tracing:
    """The tracer of this process after the configuration, with OpenTelemetry's constants."""

    tracer: Any = None
    kinds: Any = None
    propagator: Any = None


_tracing = _Tracing()


def configure_tracing(service: str) -> None:
    """Send spans of `service` to the collector that the environment names, if any."""
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
    """Record a span of the body, as a child of the current span."""
    if _tracing.tracer is None:
        return _UNTRACED
    return _start_span(name, kind, None, attributes)


def server_span(name: str, traceparent: str, **attributes: str) -> AbstractContextManager[Span]:
    """Record a span of a served call, as a child of its caller's span (W3C trace context)."""
    if _tracing.tracer is None:
        return _UNTRACED
    parent = _tracing.propagator.extract({"traceparent": traceparent}) if traceparent else None
    return _start_span(name, "server", parent, attributes)


def traceparent() -> str:
    """Return the trace context for an outgoing call: that of the current span, or the one that the caller sent."""
    if _tracing.tracer is not None:
        carrier: dict[str, str] = {}
        _tracing.propagator.inject(carrier)
        if carrier:
            return carrier["traceparent"]
    call = current_call()
    return call.traceparent if call else ""


def _start_span(name: str, kind: Kind, parent: Any, attributes: dict[str, str]) -> AbstractContextManager[Span]:
    # Only the class of an exception is recorded, because its message and stack may hold secrets.
    found = _tracing.tracer.start_as_current_span(
        name,
        context=parent,
        kind=getattr(_tracing.kinds, kind.upper()),
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=True,
    )
    return cast("AbstractContextManager[Span]", found)
