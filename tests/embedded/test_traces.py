"""What a collector is sent: one trace from a delivery to whoever is told, across the services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.stack import EmbeddedStack, Plan
from tests.embedded.test_monitors import write
from tests.support.waiting import eventually

WITHIN_SECONDS = 60.0
TOLD = {
    "tellonce-ingest normalise": "tellonce-ingest receive",
    "tellonce-router decide": "tellonce-ingest receive",
    "tellonce-notify tell": "tellonce-router decide",
    "tellonce-notify notice": "tellonce-notify tell",
    "tellonce-history project": "tellonce-router decide",
}
"""The spans that a form makes, each with its parent."""


@dataclass
class Collector:
    """Takes spans by OTLP over HTTP. `spans`: by their ids, each with the service and the name."""

    url: str
    spans: dict[bytes, tuple[str, Span]]

    def trace_of(self, named: str) -> dict[str, str]:
        """Return the parents, by span, of the trace that has a span of this name; of many of a name, of one."""
        traces = {each.trace_id for name, each in self.spans.values() if name == named}
        return {
            name: self.spans[each.parent_span_id][0]
            for name, each in self.spans.values()
            if each.trace_id in traces and each.parent_span_id in self.spans
        }


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Listen as a collector does."""
    (port,) = free_ports(1)
    collector = Collector(f"http://{LOOPBACK}:{port}", {})

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split()[0])
                keep(collector, await reader.readexactly(length))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
                )
        writer.close()

    server = await asyncio.start_server(take, LOOPBACK, port)
    try:
        yield collector
    finally:
        server.close()


def keep(collector: Collector, body: bytes) -> None:
    """Take the spans of one export in."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        names = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for each in scope.spans:
                collector.spans[each.span_id] = f"{names['service.name']} {each.name}", each


async def test_a_delivery_and_who_is_told_of_it_are_one_trace(data: Path) -> None:
    """From the door to the notice, with the spans of all services in their places, and nothing that she wrote."""
    async with collecting() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        async with EmbeddedStack(Plan(folder=data, environment=environment)) as stack:
            async with httpx.AsyncClient(base_url=stack.addresses["ingest"]) as client:
                await write(client, range(1))

            async def told() -> bool:
                return collector.trace_of("tellonce-ingest receive").items() >= TOLD.items()

            await eventually(told, within_seconds=WITHIN_SECONDS)
        received = [each for name, each in collector.spans.values() if name.endswith(" receive")]
        assert len(received) == 1
        assert "mail.example" not in str(collector.spans)
        assert "Hello" not in str(collector.spans)
