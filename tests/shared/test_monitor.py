"""What a process tells over HTTP: it is alive, it does its work, what is measured; each within bounds."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.probes import http_get
from shared import ensuring, monitor, readiness, streams, tasks
from shared.bus import connect
from shared.errors import SettingInvalid, ViewUnavailable
from shared.monitor import Monitor
from shared.readiness import Backlog, LaneBacklog, Readiness, Trouble
from shared.settings import Settings
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

UNDECIDED = LaneBacklog(oldest=datetime.now(UTC) - timedelta(hours=1), contact_events=7)


class Service:
    """A service on a bus of its own: what it needs may be away, and what waits may not be told."""

    def __init__(self) -> None:
        self.away = False
        self.silent = False
        self.port = free_ports(1)[0]
        self.readiness: Readiness

    async def check(self) -> None:
        """Raises: ViewUnavailable while it is away."""
        if self.away:
            raise ViewUnavailable(reason="away")

    async def backlog(self) -> Backlog:
        """What waits, unless nobody answers."""
        if self.silent:
            await asyncio.Event().wait()
        return Backlog(parked=2, undecided={"live": UNDECIDED})

    @property
    def settings(self) -> Settings:
        """Where it is asked."""
        return Settings(monitor_host=LOOPBACK, monitor_port=self.port)

    async def get(self, path: str) -> httpx.Response:
        """Ask it."""
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://{LOOPBACK}:{self.port}{path}")

    async def answers(self) -> bool:
        """Whether anybody listens."""
        return (await http_get(f"http://{LOOPBACK}:{self.port}", "/livez"))[0] != 0


@pytest_asyncio.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """A service that was looked at once; no failure is forgiven."""
    monkeypatch.setattr(readiness, "FORGIVEN_SECONDS", -1.0)
    canary = [each for each in streams.stream_configs() if each["name"] == streams.CANARY]
    async with EmbeddedNats(tmp_path / "nats") as server:
        bus = await connect(server.url, "test")
        await ensuring.ensure(bus, streams.WantedStreams(streams=canary))
        here = Service()
        trouble = Trouble(code="stream.drift", about="form/contact")
        here.readiness = Readiness(
            bus, "work", [here.check], parts=lambda: [trouble], backlog=here.backlog
        )
        await here.readiness.examine()
        running = asyncio.create_task(Monitor(here.settings, here.readiness).run())
        await eventually(here.answers)
        yield here
        await tasks.end([running])
        await bus.close()


async def test_a_service_is_ready_while_it_does_its_work(service: Service) -> None:
    """Else it says what is wrong, with codes, as `status` does; it is alive all the same."""
    assert (await service.get("/readyz")).status_code == 200
    service.away = True
    await service.readiness.examine()
    refused = await service.get("/readyz")
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json() == {
        "type": "urn:tellonce:problem:service.not_ready",
        "title": "the service does not do its work",
        "status": 503,
        "code": "service.not_ready",
        "troubles": [
            {"code": "query.unavailable", "about": "away"},
            {"code": "stream.drift", "about": "form/contact"},
        ],
    }
    assert (await service.get("/livez")).status_code == 200
    service.away = False
    await service.readiness.examine()
    assert (await service.get("/readyz")).status_code == 200


async def test_a_service_that_looks_after_itself_no_more_is_not_alive(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loop turns, and what should go on does not."""
    monkeypatch.setattr(readiness, "STALLED_SECONDS", -1.0)
    stalled = await service.get("/livez")
    assert (stalled.status_code, stalled.json()["code"]) == (503, "service.stalled")


async def test_a_frozen_loop_answers_nothing(service: Service) -> None:
    """Whoever probes waits in vain: that is how a probe sees it."""
    answered: list[int] = []

    def ask() -> None:
        try:
            answered.append(
                httpx.get(f"http://{LOOPBACK}:{service.port}/livez", timeout=0.2).status_code
            )
        except httpx.TimeoutException:
            answered.append(0)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()  # the loop stands still meanwhile
    assert answered == [0]
    assert (await service.get("/livez")).status_code == 200


async def test_the_metrics_tell_what_the_health_tells(service: Service) -> None:
    """In the text format, with the lanes and codes as labels."""
    shown = await service.get("/metrics")
    assert shown.headers["content-type"].startswith("text/plain; version=")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(shown.text)
        for sample in family.samples
    }
    assert found["tellonce_ready",] == 1
    assert found["tellonce_troubles", "stream.drift"] == 1
    assert found["tellonce_undecided_contact_events", "live"] == 7
    assert found["tellonce_undecided_oldest_seconds", "live"] >= 3_600
    assert found["tellonce_parked",] == 2
    assert found["process_resident_memory_bytes",] > 0


async def test_metrics_are_told_although_nobody_knows_what_waits(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away takes the others' numbers from nobody."""
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.05)
    service.silent = True
    assert "tellonce_ready 1.0" in (await service.get("/metrics")).text


async def test_only_what_is_there_is_answered(service: Service) -> None:
    """Another path, another method, a query behind a path; HEAD is answered without a body."""
    assert (await service.get("/")).status_code == 404
    assert (await service.get("/livez?verbose=1")).status_code == 200
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{service.port}") as client:
        assert (await client.post("/metrics")).status_code == 405
        head = await client.head("/livez")
    assert (head.status_code, head.content) == (200, b"")


async def test_slow_and_large_requests_keep_nobody_out(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that never ends is closed on in time, one that is too large at once, and so is one too many."""
    monkeypatch.setattr(monitor, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(monitor, "CONNECTIONS_MAX", 2)
    held = [await asyncio.open_connection(LOOPBACK, service.port) for _ in range(5)]
    for reader, writer in held:
        writer.write(b"GET /livez HTTP/1.1\r\n")
        assert await reader.read() == b""
        writer.close()
    reader, writer = await asyncio.open_connection(LOOPBACK, service.port)
    writer.write(b"GET /livez HTTP/1.1\r\nX: " + b"x" * monitor.HEAD_MAX_BYTES)
    assert await reader.read() == b""
    writer.close()
    assert (await service.get("/livez")).status_code == 200


async def test_a_port_that_is_taken_ends_the_service(service: Service) -> None:
    """The error names the variables."""
    with pytest.raises(SettingInvalid, match="TELLONCE_MONITOR_PORT"):
        await Monitor(service.settings, service.readiness).run()
