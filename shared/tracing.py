"""One trace from a delivery to whoever is told, by OpenTelemetry (docs/adr/0079).

The only file that imports it, and only where the standard variable OTEL_EXPORTER_OTLP_ENDPOINT names a collector;
else nothing is loaded and nothing is recorded. Events carry `traceparent` (W3C Trace Context), so a span's parent is
what the event says, in whatever process. What a span tells is ids, names of ours and codes: no text, no address.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from shared import VERSION, errors

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_SECONDS = 1.0
"""What a process that ends may wait until its last spans are taken."""
TRACEPARENT = "traceparent"

_tracer: "Tracer | None" = None
_NOTHING = contextlib.nullcontext()


def configure(service: str, environment: Mapping[str, str] = os.environ) -> Callable[[], object]:
    """Record spans from now on, if a collector is named; return what sends the last of them.

    How many are kept, and where and how they go, say OpenTelemetry's own variables.
    """
    global _tracer  # noqa: PLW0603  of the whole process, as logging is
    if not any(environment.get(name) for name in ENDPOINTS):
        return lambda: None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    about = Resource.create({"service.name": f"tellonce-{service}", "service.version": VERSION})
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("tellonce", VERSION)
    return lambda: _no_longer_than(FLUSH_SECONDS, provider.force_flush)


def _no_longer_than(seconds: float, send: Callable[[], object]) -> None:
    """Wait for what heeds no limit of its own: OpenTelemetry tries for ten seconds with every batch of spans."""
    sending = threading.Thread(target=send, daemon=True)  # it keeps no process from its end
    sending.start()
    sending.join(seconds)


def span(
    name: str, parent: str | None = None, **attributes: str | None
) -> contextlib.AbstractContextManager[None]:
    """Record what the block does, below `parent`, else below the span that runs; with the code of what it raises."""
    return _NOTHING if _tracer is None else _recorded(_tracer, name, parent, attributes)


@contextlib.contextmanager
def _recorded(
    tracer: "Tracer", name: str, parent: str | None, attributes: Mapping[str, str | None]
) -> Iterator[None]:
    with tracer.start_as_current_span(
        name,
        _context(parent),
        attributes=_known(attributes),
        record_exception=False,  # its text may hold what somebody wrote
        set_status_on_exception=False,
    ) as recorded:
        try:
            yield
        except errors.TellonceError as error:
            recorded.set_attribute("error.type", error.code)
            raise


def note(name: str, parent: str | None, since: datetime, **attributes: str | None) -> None:
    """Record what began at a time and ends now, of one of several that are done together; nothing without a parent."""
    if _tracer is None or parent is None:
        return
    began, ends = int(since.timestamp() * 1e9), time.time_ns()
    recorded = _tracer.start_span(
        name, _context(parent), attributes=_known(attributes), start_time=min(began, ends)
    )
    recorded.end(ends)


def current() -> str | None:
    """Return the span that runs, as events carry it; `None` where none is recorded."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(TRACEPARENT)


def trace_id() -> str | None:
    """Return the id of the trace that the running span belongs to; `None` where none is recorded."""
    traceparent = current()
    return None if traceparent is None else traceparent.split("-")[1]


def _context(parent: str | None) -> "Context | None":
    """Return where a span belongs; one that cannot be read is none."""
    if parent is None:
        return None
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract({TRACEPARENT: parent}, Context())


def _known(attributes: Mapping[str, str | None]) -> dict[str, str]:
    return {f"tellonce.{name}": value for name, value in attributes.items() if value is not None}
