"""Other services beside the stack: they know nothing of it but the published documents."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.ask import envelope
from deploy.embedded.stack import EmbeddedStack
from examples.python import tellonce_client
from shared import subjects
from shared.bus import connect
from shared.ledger.follow import follow
from shared.streams import LEDGER
from tests.architecture.tree import ROOT
from tests.stories.conftest import INTEGRATION

EXAMPLES = ROOT / "examples"
TENANT = "demo"
USER = f"integration-{TENANT}.{INTEGRATION}"
WITHIN_SECONDS = 60.0
CUSTOMERS = 20
KILLED_AFTER_LINES = (1, 2, 30)
"""So far a consumer comes before it is killed, and another one goes on."""

needs_node = pytest.mark.skipif(
    shutil.which("node") is None
    or not (EXAMPLES / "node" / "node_modules" / ".package-lock.json").exists(),
    reason="needs Node, and what `make contracts` installs",
)
CONSUMERS = [
    pytest.param((sys.executable, str(EXAMPLES / "python" / "consumer.py")), id="python"),
    pytest.param(("node", str(EXAMPLES / "node" / "consumer.js")), id="node", marks=needs_node),
]


def beside(stack: EmbeddedStack) -> dict[str, str]:
    """Return the environment in which another service runs beside a stack."""
    documents = str(ROOT / "docs" / "reference")
    return {
        **os.environ,
        "TELLONCE_NATS_URL": stack.addresses["nats"],
        "TELLONCE_NATS_SEED_FILE": stack.bus_address(USER).seed_file,
        "TELLONCE_NAME": INTEGRATION,
        "TELLONCE_CONTRACT": documents,
    }


@contextmanager
def following(
    consumer: tuple[str, ...], stack: EmbeddedStack, journal: Path
) -> Iterator[Iterator[str]]:
    """Run a consumer and give its lines; at the end, or when it comes to none, it is killed, wherever it is."""
    process = subprocess.Popen(
        [*consumer, "follow", str(journal)],
        env=beside(stack),
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    )
    assert process.stdout is not None
    too_long = threading.Timer(WITHIN_SECONDS, process.kill)
    too_long.start()
    try:
        yield iter(process.stdout)
    finally:
        too_long.cancel()
        process.kill()
        process.communicate()


def send(
    consumer: tuple[str, ...], stack: EmbeddedStack, name: str, body: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Send one command by a consumer's own process."""
    return subprocess.run(
        [*consumer, "send", name, json.dumps(body)],
        env=beside(stack),
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )


async def in_the_ledger(stack: EmbeddedStack) -> list[tuple[int, dict[str, Any]]]:
    """Return the tenant's events with their sequences, as our own reader gives them."""
    bus = await connect(stack.bus_address("history"), "test")
    try:
        end = (await bus.api(f"STREAM.INFO.{LEDGER}"))["state"]["last_seq"]
        found: list[tuple[int, dict[str, Any]]] = []
        async for batch in follow(bus, LEDGER, 0):
            found += [
                (each.sequence, json.loads(each.body))
                for each in batch
                if subjects.tenant_in(each.subject) == TENANT
            ]
            if batch[-1].sequence >= end:
                break
        return found
    finally:
        await bus.close()


@pytest.mark.story
@pytest.mark.parametrize("consumer", CONSUMERS)
async def test_another_service_sees_every_event_once_however_often_it_is_killed(
    consumer: tuple[str, ...], running_stack: EmbeddedStack, tmp_path: Path
) -> None:
    """Its journal has the tenant's whole ledger, in order, without a gap and without one twice."""
    address = running_stack.bus_address(USER)
    shop = await tellonce_client.connect(
        address.url, tenant=TENANT, name=INTEGRATION, seed_file=address.seed_file
    )
    async with shop:
        for _ in range(CUSTOMERS):
            await shop.command("register_customer", a_customer())
    wanted = [
        f"{sequence} {event['type']} {event['subject']} {event['id']}"
        for sequence, event in await in_the_ledger(running_stack)
    ]
    journal = tmp_path / "journal"
    await asyncio.to_thread(kill_now_and_then, consumer, running_stack, journal, wanted[-1])
    assert journal.read_text("utf-8").splitlines()[: len(wanted)] == wanted


@pytest.mark.story
async def test_another_service_may_hear_what_it_listens_to(running_stack: EmbeddedStack) -> None:
    """The server knows it by its key and refuses it nothing: it is told of news, and need not look for them."""
    refused: list[Exception] = []

    async def note(error: Exception) -> None:
        refused.append(error)

    address = running_stack.bus_address(USER)
    shop = await tellonce_client.connect(
        address.url, tenant=TENANT, name=INTEGRATION, seed_file=address.seed_file, error_cb=note
    )
    async with shop:
        entries = shop.follow(after=0)
        assert (await anext(entries)).sequence > 0
        await entries.aclose()
    assert refused == []


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("said", [(), ("follow",), ("send", "announce"), ("read", "journal")])
def test_another_service_says_how_it_is_used(consumer: tuple[str, ...], said: tuple[str]) -> None:
    """Before it goes anywhere."""
    told = subprocess.run([*consumer, *said], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "follow JOURNAL" in told.stderr


def a_customer() -> dict[str, Any]:
    """Return what registers a customer whom nobody knows yet."""
    name = uuid.uuid4().hex
    return {"name": name, "handles": [{"kind": "email", "value": f"{name}@mail.example"}]}


def kill_now_and_then(
    consumer: tuple[str, ...], stack: EmbeddedStack, journal: Path, last: str
) -> None:
    """Kill a consumer amid its work, again and again; the last one comes to the end.

    It may be ahead of who kills it, and even at the end: then a torn line is all that is left to the next one.
    """
    for lines in KILLED_AFTER_LINES:
        with following(consumer, stack, journal) as shown:
            for _ in range(lines):
                if next(shown).strip() == last:
                    break
        tear(journal)
    with following(consumer, stack, journal) as shown:
        while next(shown).strip() != last:
            pass


def tear(journal: Path) -> None:
    """Leave a part of the last line, as a machine that loses its power does."""
    os.truncate(journal, journal.stat().st_size - 5)


@pytest.mark.story
@pytest.mark.parametrize("consumer", CONSUMERS)
async def test_a_command_that_another_service_sends_twice_is_in_the_ledger_once(
    consumer: tuple[str, ...], running_stack: EmbeddedStack
) -> None:
    """Two processes with the same id get the same reply, and are themselves in the ledger, whatever they state; a
    refusal ends with its code."""
    command = {**envelope(), "actor": "service:shop", **a_customer()}
    replies = [send(consumer, running_stack, "register_customer", command) for _ in range(2)]
    assert [each.returncode for each in replies] == [0, 0], replies
    first, second = (json.loads(each.stdout) for each in replies)
    assert first["events"] == second["events"]
    caused = [
        event
        for _, event in await in_the_ledger(running_stack)
        if event.get("causationid") == command["command_id"]
    ]
    found = [event["id"] for event in caused]
    assert {each["id"] for each in first["events"]} <= set(found)
    assert len(found) == len(set(found))
    assert {event["actor"] for event in caused} == {f"integration:{INTEGRATION}"}
    unknown = {**envelope(), "announcement_id": "nobody"}
    refused = send(consumer, running_stack, "withdraw_announcement", unknown)
    assert refused.returncode == 1
    assert "announcement.unknown" in refused.stdout + refused.stderr


@pytest.mark.story
@pytest.mark.parametrize("consumer", CONSUMERS)
async def test_another_service_sends_nothing_that_its_schema_refuses(
    consumer: tuple[str, ...], running_stack: EmbeddedStack
) -> None:
    """A slip is found before it is sent, and says where."""
    refused = send(consumer, running_stack, "announce", {"kind": "outing", "text": "We are away"})
    assert refused.returncode == 1
    assert "outing" in refused.stderr or "kind" in refused.stderr
