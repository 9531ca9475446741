"""The process: it starts without history, refuses drift, survives kill -9, ends when it is told to."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx

from deploy.embedded.ports import free_ports
from shared import ids, streams
from shared.bus import Bus, connect
from shared.errors import BusUnavailable
from shared.tasks import end
from tests.ingest.running_ingest import (
    SECRET,
    make_consumers,
    make_settings,
    signed,
    stored,
    until,
    until_ready,
)
from tests.support.servers import EmbeddedNats

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 10.0
SENDERS = 4
FORMS = 120
KILLS = 3


def environment(nats_url: str, folder: Path, port: int) -> Mapping[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TELLONCE_NATS_URL": nats_url,
        "TELLONCE_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/nothing",
        "TELLONCE_POLICY": str(folder / "policy.yaml"),
        "TELLONCE_SECRETS_FILE": str(folder / "secrets.env"),
        "TELLONCE_INGEST_PORT": str(port),
    }


@asynccontextmanager
async def process(env: Mapping[str, str]) -> AsyncIterator[Process]:
    """One `python -m services.ingest`; it is gone when the block ends."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ingest",
        cwd=ROOT,
        env=env,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def announced(bus: Bus) -> bool | None:
    try:
        await bus.request("$SRV.PING.ingest", timeout_seconds=0.5)
    except BusUnavailable:
        return None
    return True


async def test_it_serves_without_history_and_ends_on_sigterm(tmp_path: Path) -> None:
    """Ready over HTTP and on the bus although no Postgres is there; SIGTERM ends it cleanly."""
    async with EmbeddedNats(tmp_path / "nats") as server, httpx.AsyncClient() as http:
        settings, tenant, account = make_settings(server.url, tmp_path)
        bus = await connect(server.url, "tests")
        await make_consumers(bus, settings, tenant, account)
        port = free_ports(1)[0]
        async with process(environment(server.url, tmp_path, port)) as service:
            await until_ready(http, f"http://127.0.0.1:{port}")
            assert await until(lambda: announced(bus)) is True
            body = b'{"message":"hello"}'
            url = f"http://127.0.0.1:{port}/in/{tenant}/form/{account}"
            assert (await http.post(url, content=body, headers=signed(SECRET, body))).is_success
            service.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(service.wait(), STOP_SECONDS) == 0
        await bus.close()


async def test_a_task_that_forgets_a_cancellation_is_cancelled_again() -> None:
    """Python's own wait_for loses one now and then; the process ends all the same."""
    began, forgotten = asyncio.Event(), 0

    async def forgetful() -> None:
        nonlocal forgotten
        began.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                forgotten += 1
                if forgotten > 1:
                    raise

    task = asyncio.create_task(forgetful())
    await began.wait()
    await end([task])
    assert task.cancelled()
    assert forgotten == 2


async def test_it_refuses_to_start_on_drift(tmp_path: Path) -> None:
    """Without its consumers it ends with 1: the bootstrap job has not run."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        make_settings(server.url, tmp_path)
        async with process(environment(server.url, tmp_path, free_ports(1)[0])) as service:
            assert await asyncio.wait_for(service.wait(), STOP_SECONDS) == 1


async def test_kill_9_loses_nothing_that_was_answered_and_doubles_nothing(tmp_path: Path) -> None:
    """Killed three times under load: each form answered 2xx is in CONTACTS, each exactly once, RAW is done."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        settings, tenant, account = make_settings(server.url, tmp_path)
        bus = await connect(server.url, "tests")
        await make_consumers(bus, settings, tenant, account)
        port = free_ports(1)[0]
        env = environment(server.url, tmp_path, port)
        url = f"http://127.0.0.1:{port}/in/{tenant}/form/{account}"
        answered: set[str] = set()
        async with asyncio.TaskGroup() as senders:
            for sender in range(SENDERS):
                senders.create_task(_send(url, range(sender, FORMS, SENDERS), answered))
            for kill in range(1, KILLS + 1):
                async with process(env):
                    await until(partial(_enough, answered, kill * FORMS // (KILLS + 2)))
            async with process(env):
                await until(partial(_enough, answered, FORMS))
        async with process(env), httpx.AsyncClient() as http:
            await until_ready(http, f"http://127.0.0.1:{port}")
            await until(lambda: _done(bus, tenant, account))
            found = await stored(bus, streams.CONTACTS, f"contact.*.{tenant}.form.*")
            raw = await stored(bus, streams.RAW, f"raw.*.{tenant}.form.*")
        names = [json.loads(each.body)["data"]["open"]["provider_id"] for each in found]
        assert sorted(names) == sorted(answered)
        assert {ids.body_sha256(each.body) for each in raw} == {
            ids.body_sha256(_form(n)) for n in names
        }
        await bus.close()


def _form(name: str) -> bytes:
    return json.dumps({"submission_id": name}).encode()


async def _send(url: str, numbers: range, answered: set[str]) -> None:
    """Send forms as a provider does: again and again until each is answered with 2xx."""
    async with httpx.AsyncClient(timeout=5) as http:
        for number in numbers:
            body = _form(f"f-{number}")

            async def sent(body: bytes = body, number: int = number) -> bool | None:
                headers = {
                    **signed(SECRET, body, webhook_id=f"w{number}"),
                    "content-type": "application/json",
                }
                try:
                    return (
                        True
                        if (await http.post(url, content=body, headers=headers)).is_success
                        else None
                    )
                except httpx.TransportError:
                    return None

            await until(sent, seconds=60)
            answered.add(f"f-{number}")


async def _enough(answered: set[str], wanted: int) -> bool | None:
    return True if len(answered) >= wanted else None


async def _done(bus: Bus, tenant: str, account: str) -> bool | None:
    state = await bus.api(
        f"CONSUMER.INFO.{streams.RAW}.{streams.ingest_normalise(tenant, 'form', account)}"
    )
    return True if state["num_pending"] + state["num_ack_pending"] == 0 else None


async def test_an_account_without_its_consumer_closes_no_other_door(tmp_path: Path) -> None:
    """Deleted while it runs: named among the troubles, its deliveries wait in RAW; made again, they are normalised."""
    async with EmbeddedNats(tmp_path / "nats") as server, httpx.AsyncClient() as http:
        settings, tenant, account = make_settings(server.url, tmp_path)
        bus = await connect(server.url, "tests")
        await make_consumers(bus, settings, tenant, account)
        port = free_ports(1)[0]
        durable = streams.ingest_normalise(tenant, "form", account)

        async def troubles() -> list[tuple[str, str]]:
            health = json.loads(await bus.request("ops.ingest.health"))
            return [(each["code"], each["about"]) for each in health["troubles"]]

        async def named() -> bool | None:
            return (
                True if ("stream.drift", f"{tenant}/form/{account}") in await troubles() else None
            )

        async def mended() -> bool | None:
            return True if not await troubles() else None

        async with process(environment(server.url, tmp_path, port)) as service:
            await until_ready(http, f"http://127.0.0.1:{port}")
            await bus.api(f"CONSUMER.DELETE.{streams.RAW}.{durable}")
            await until(named)
            body = b'{"message":"hello"}'
            url = f"http://127.0.0.1:{port}/in/{tenant}/form/{account}"
            assert (await http.post(url, content=body, headers=signed(SECRET, body))).is_success
            assert (await http.get(f"http://127.0.0.1:{port}/readyz")).is_success
            assert service.returncode is None
            await make_consumers(bus, settings, tenant, account)
            await until(mended)
            await until(lambda: _done(bus, tenant, account))
            assert len(await stored(bus, streams.CONTACTS, f"contact.*.{tenant}.form.*")) == 1
        await bus.close()
