"""What an orchestrator sees of the real services by HTTP: well, frozen, and without what they read."""

import json
from pathlib import Path

from deploy.embedded import probes, wire
from deploy.embedded.probes import SERVICES
from deploy.embedded.stack import EmbeddedStack, Plan
from tests.support.frozen import frozen
from tests.support.waiting import eventually

CONSUMER = "CONTACTS.router-contacts-7"


async def test_probes_see_a_frozen_process_and_a_consumer_that_is_gone(data: Path) -> None:
    """Frozen it answers nothing; without its consumer it ends, and the next one is ready where it stood."""
    async with EmbeddedStack(Plan(folder=data)) as stack:
        monitors, pid = stack.status().monitors, stack.status().pids["router"]

        async def status(service: str, path: str) -> int:
            return (await probes.http_get(monitors[service], path))[0]

        for service in SERVICES:
            assert await status(service, "/livez") == 200
            assert await status(service, "/readyz") == 200
            _, shown = await probes.http_get(monitors[service], "/metrics")
            assert b"\ntellonce_ready 1.0\n" in shown
        with frozen(pid):
            assert await status("router", "/livez") == 0
            assert await status("notify", "/livez") == 200
        url = stack.addresses["nats"]
        gone = await wire.request(url, f"$JS.API.CONSUMER.DELETE.{CONSUMER}", timeout_seconds=5)
        assert json.loads(gone)["success"]

        async def another_is_ready() -> bool:
            replaced = stack.status().pids["router"] != pid
            return replaced and await status("router", "/readyz") == 200

        await eventually(another_is_ready)
