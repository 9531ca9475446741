"""Spans: off unless a collector is named, below what an event says, and without anybody's words."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import tracing
from shared.errors import AccountUnknown

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What is recorded in this process."""
    kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield kept
    provider.shutdown()


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def test_nothing_is_recorded_unless_a_collector_is_named() -> None:
    """No variable, no span, and events say nothing of one."""
    tracing.configure("test", {})()
    with tracing.span("decide", TRACEPARENT):
        assert tracing.current() is None
        assert tracing.trace_id() is None


def test_a_process_does_not_wait_for_a_collector_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long OpenTelemetry would try: here an hour."""
    monkeypatch.setattr(tracing, "_tracer", None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(tracing.ENDPOINTS[0], f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
        send_last_spans = tracing.configure("test")
        with tracing.span("decide"):
            pass
        send_last_spans()


def test_a_span_stands_below_what_the_event_says(spans: InMemorySpanExporter) -> None:
    """And what is begun within it below it; that is what the next event says."""
    with tracing.span("decide", TRACEPARENT, tenant="demo", type=None):
        said = tracing.current()
        assert tracing.trace_id() == TRACE
        with tracing.span("notice"):
            pass
    inner, outer = spans.get_finished_spans()
    assert said == f"00-{TRACE}-{outer.context.span_id:016x}-01"
    assert (parent_of(outer), parent_of(inner)) == (PARENT, f"{outer.context.span_id:016x}")
    assert dict(outer.attributes or {}) == {"tellonce.tenant": "demo"}


@pytest.mark.parametrize("unreadable", ["", "00-0-0-00", "x" * 5_000, "Anna Nowak"])
def test_what_is_no_parent_begins_a_trace(spans: InMemorySpanExporter, unreadable: str) -> None:
    """An event that says something else is handled all the same."""
    with tracing.span("decide", unreadable):
        pass
    (found,) = spans.get_finished_spans()
    assert found.parent is None


def test_an_error_is_told_by_its_code(spans: InMemorySpanExporter) -> None:
    """Its sentence, and what an exception quotes, stay where they are."""
    with pytest.raises(AccountUnknown), tracing.span("decide"):
        raise AccountUnknown("anna@mail.example")
    with pytest.raises(ValueError, match="Anna"), tracing.span("decide"):
        raise ValueError("Anna wrote")
    refused, failed = spans.get_finished_spans()
    assert dict(refused.attributes or {}) == {"error.type": AccountUnknown.code}
    assert not refused.events
    assert not failed.events
    assert "Anna" not in f"{failed.to_json()}{refused.to_json()}"


def test_one_of_several_is_noted_when_it_is_done(spans: InMemorySpanExporter) -> None:
    """From when it began; of what has no trace nothing is."""
    began = datetime.now(UTC)
    tracing.note("project", TRACEPARENT, began)
    tracing.note("project", None, began)
    (found,) = spans.get_finished_spans()
    assert parent_of(found) == PARENT
    assert (found.end_time or 0) >= (found.start_time or 0) > 0
