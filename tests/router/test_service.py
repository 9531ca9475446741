"""The router's process: killed, stopped, started again, and next to neighbours who are away."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.embedded.process import Child
from services.router.snapshot import NatsSnapshots
from shared import ids, subjects
from shared.events import InboundEvent
from tests.router.invariants import check_recorded
from tests.router.running_router import RunningRouter
from tests.router.samples import TENANT, call, form, message, phone
from tests.support.waiting import eventually

KILL_SEED = 11
KILLS = 3


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningRouter]:
    """Real servers and no router yet; parametrize indirectly with times of the policy."""
    opened = RunningRouter(tmp_path, getattr(request, "param", None))
    await opened.open()
    yield opened
    await opened.close()


async def offer_to(running: RunningRouter, agent: str, event: InboundEvent) -> dict[str, str]:
    """The agent signs in and is offered this contact; return what she answers with."""
    await running.does(agent, "sign_in")
    await running.happens(event)
    await running.until(lambda: running.events("contact.offered"))
    offer = running.events("contact.offered")[-1]
    return {"conversation": offer.conversation, "offer_id": offer.open.offer_id}


async def test_a_command_sent_again_after_a_restart_gets_the_same_reply(
    running: RunningRouter,
) -> None:
    """What was done is in the ledger, not in the process."""
    router = await running.start_router()
    fields = await offer_to(running, "piotr", call("started", at=now()))
    body = running.body("piotr", "accept_offer", **fields)
    first = await running.asks("accept_offer", body)
    await router.kill()
    await running.start_router()
    assert await running.asks("accept_offer", body) == first
    assert [event["type"] for event in first["events"]] == ["contact.accepted"]
    assert len(running.events("contact.accepted")) == 1


async def test_a_router_that_was_killed_begins_with_its_snapshot(running: RunningRouter) -> None:
    """It reads nothing before it, and offers who waited then to an agent who has come since."""
    running.module = "tests.router.keeping_router"
    router = await running.start_router()
    await running.happens(call("started", at=now()))
    await running.until(lambda: running.events("contact.queued"))
    end = await running.ledger.position()

    async def kept() -> bool:
        snapshot = await NatsSnapshots(running.bus).newest()
        return snapshot is not None and snapshot.position == end

    await eventually(kept)
    await router.kill()
    again = await running.start_router()
    taken_up = {"event": "snapshot_taken_up", "position": end}
    assert any(taken_up.items() <= line.items() for line in logged(again))
    await running.does("piotr", "sign_in")
    await running.until(lambda: running.events("contact.offered"))


def logged(router: Child) -> list[dict[str, object]]:
    """Return what a router said."""
    lines = router.program.log_path.read_text("utf-8").splitlines()
    return [msgspec.json.decode(line) for line in lines]


async def test_a_router_killed_at_any_moment_doubles_nothing(running: RunningRouter) -> None:
    """Signal 9 again and again while contacts come in: each is in the ledger once, and all invariants hold."""
    drawn = random.Random(KILL_SEED)
    await running.start_router()
    await running.does("piotr", "sign_in")
    await running.does("ewa", "sign_in")
    events: list[InboundEvent] = []
    for number in range(12):
        handles = [phone(f"+4860010{number % 5:04}")]
        events += [
            call(kind, f"CA{number}", handles=handles, at=now(), k=k)
            for k, kind in enumerate(("started", "menu", "answered", "ended"))
        ]
    sending = asyncio.create_task(running.happens(*events))
    for _ in range(KILLS):
        written = len(running.book) + drawn.randint(1, 25)
        await running.until(lambda: len(running.book) >= written or all(map(running.holds, events)))  # noqa: B023
        await running.routers[-1].kill()
        await running.start_router()
    await sending
    await running.until_recorded(*events)
    await running.idle()
    assert [len(running.holds(event)) for event in events] == [1] * len(events)
    lost = running.events("contact.abandoned")
    assert len({event.open.contact_id for event in lost}) == len(lost)
    check_recorded(running.book)


@pytest.mark.parametrize("running", [{"transfer_seconds": 1.0, "offer_seconds": 30}], indirect=True)
async def test_a_transfer_runs_out_while_no_router_is_there(running: RunningRouter) -> None:
    """The server holds the timer; the next router hears of it and brings the conversation back."""
    router = await running.start_router()
    fields = await offer_to(running, "marek", form("?", topic="delivery", at=now()))
    await running.does("marek", "accept_offer", **fields)
    await running.does(
        "marek",
        "transfer",
        conversation=fields["conversation"],
        to={"agent": "ewa"},
        kind="warm",
        brief="please",
    )
    await router.kill()

    async def fired() -> bool:
        info = await running.bus.api("STREAM.INFO.TIMERS", {"subjects_filter": "fired.>"})
        kinds = [subject.split(".")[-2] for subject in info["state"].get("subjects") or {}]
        return "transfer_expiry" in kinds

    await eventually(fired)
    assert not running.events("transfer.expired")
    await running.start_router()
    await running.until(lambda: running.events("transfer.expired"))
    assert running.events("transfer.expired")[0].open.returned_to == "agent-marek"
    check_recorded(running.book)


@pytest.mark.parametrize("running", [{"offer_seconds": 1.0}], indirect=True)
async def test_an_offer_runs_out_on_a_running_router(running: RunningRouter) -> None:
    """Its timer was armed with it; the server fires it, the contact is offered again after the agent's rest."""
    await running.start_router()
    await offer_to(running, "marek", form("?", topic="delivery", at=now()))
    await running.until(lambda: len(running.events("contact.offered")) == 2)
    first, second = running.events("contact.offered")
    (expired,) = running.events("contact.offer_expired")[:1]
    assert expired.open.offer_id == first.open.offer_id != second.open.offer_id
    assert expired.recorded >= first.open.expires


@pytest.mark.parametrize("running", [{"offer_seconds": 3.0}], indirect=True)
async def test_an_offer_runs_out_although_all_timers_were_lost(running: RunningRouter) -> None:
    """Who deletes TIMERS deletes no deadline: the ledger says what is still to be asked."""
    await running.start_router()
    await offer_to(running, "marek", form("?", topic="delivery", at=now()))
    await running.bus.api("STREAM.DELETE.TIMERS")
    await running.routers[-1].kill()
    await running.bootstrap()
    await running.start_router()
    await running.until(lambda: running.events("contact.offer_expired"))


@pytest.mark.parametrize(
    "drifted",
    ["CONSUMER.DELETE.CONTACTS.router-contacts-7", "STREAM.DELETE.TIMERS"],
)
async def test_a_drifted_stream_stops_the_start(running: RunningRouter, drifted: str) -> None:
    """A missing consumer or stream: the router ends with `stream.drift` and makes nothing by itself."""
    await running.bus.api(drifted)
    router = await running.launch_router()

    async def ended() -> bool:
        return router.exit_code is not None

    await eventually(ended)
    assert router.exit_code == 1
    assert '"code":"stream.drift"' in router.program.log_path.read_text("utf-8").replace(" ", "")
    assert [each.event.type for each in running.book] == ["ledger.founded"]


async def test_no_contact_waits_for_history_but_a_replay(running: RunningRouter) -> None:
    """While history is away calls, chats and backlogs are taken in; a delivery of two days ago waits for it."""
    await running.history_is_away()
    await running.start_router()
    replayed = call("started", "OLD", handles=[phone("+48111")], at=now() - timedelta(days=2))
    fresh = [
        message("hello", "U", handles=[phone("+48222")], at=now(), provider_time=None),
        call("started", "C", handles=[phone("+48333")], at=now() - timedelta(hours=5)),
    ]
    await running.happens(replayed, *fresh)
    await running.until_recorded(*fresh)
    assert not running.holds(replayed)
    await running.history_answers()
    await running.until_recorded(replayed)


async def test_an_event_that_comes_again_after_its_stream_forgot_it_is_not_decided_again(
    running: RunningRouter,
) -> None:
    """Its conversation knows it: history need not be there."""
    await running.history_is_away()
    await running.start_router()
    event = message("hello", at=now(), provider_time=None)
    await running.happens(event)
    await running.until_recorded(event)
    body = msgspec.json.encode(event)
    await running.stores("chat", event.open.contact_id, body, "eight-days-later")
    await running.idle()
    assert len(running.holds(event)) == 1


async def test_what_is_no_event_blocks_nobody(running: RunningRouter) -> None:
    """Garbage in a contact's partition is dead-lettered; the next contact of that partition goes on."""
    router = await running.start_router()
    event = call("started", at=now())
    for number, body in enumerate([b"\0", b"[]", b"\xff", b"{}"]):
        await running.stores("twilio_voice", event.open.contact_id, body, f"garbage-{number}")
    await running.happens(event)
    await running.until_recorded(event)
    logged = router.program.log_path.read_text("utf-8")
    assert logged.count("delivery_dead_lettered") == 4


async def test_an_event_of_a_newer_version_stops_its_conversation_only(
    running: RunningRouter,
) -> None:
    """Commands there are refused with `event.unknown_type`; others are offered and taken, also after a restart."""
    await running.start_router()
    first = call("started", "CA1", handles=[phone("+48111")], at=now())
    await running.happens(first)
    await running.until_recorded(first)
    (stands,) = running.holds(first)
    newer = msgspec.json.decode(stands.body)
    newer |= {"type": "conversation.dreamt_of", "id": "newer"}
    subject = subjects.ledger(TENANT, stands.aggregate)
    await running.bus.store(subject, msgspec.json.encode(newer), msg_id="newer")
    for number in range(2):
        if number:
            await running.routers[-1].kill()
            await running.start_router()
        conversation = stands.aggregate.removeprefix("conv-")
        body = running.body("piotr", "resolve", conversation=conversation)
        error = (await running.asks("resolve", body))["error"]
        assert (error["code"], error["retryable"]) == ("event.unknown_type", True)
        await running.does("piotr", "sign_in")
        other = call("started", f"CB{number}", handles=[phone(f"+4822{number}")], at=now())
        await running.happens(other)
        await running.until(lambda: len(running.events("contact.offered")) == number + 1)  # noqa: B023


ENDED_WITHIN_SECONDS = 60.0
"""It looks every few seconds and lets go of what it has in hand; other tests run on the same two cores."""


@pytest.mark.parametrize(
    ("lost", "again"),
    [
        ("CONSUMER.DELETE.CONTACTS.router-contacts-7", False),
        ("CONSUMER.DELETE.CONTACTS.router-contacts-7", True),
        ("STREAM.DELETE.TIMERS", False),
        ("STREAM.DELETE.CONTACTS", True),
        ("STREAM.DELETE.REFUSALS", True),
    ],
)
async def test_what_is_taken_away_while_it_runs_ends_the_router(
    running: RunningRouter, lost: str, again: bool
) -> None:
    """Also when it stands there again, made anew: whoever reads on without a word reads nothing."""
    router = await running.start_router()
    await running.bus.api(lost)
    if again:
        await running.bootstrap()

    async def ended() -> bool:
        return router.exit_code is not None

    await eventually(ended, within_seconds=ENDED_WITHIN_SECONDS)
    assert router.exit_code == 1
    assert '"code":"stream.drift"' in router.program.log_path.read_text("utf-8").replace(" ", "")


async def test_a_rejected_entry_stops_nobody_any_more(running: RunningRouter) -> None:
    """Not the conversation in which it stands, whose owner goes on, nor a router that starts behind it."""
    await running.start_router()
    first = call("started", "CA1", handles=[phone("+48111")], at=now())
    await running.happens(first)
    await running.until_recorded(first)
    (stands,) = running.holds(first)
    newer = msgspec.json.decode(stands.body) | {"type": "conversation.dreamt_of", "id": "newer"}
    body = msgspec.json.encode(newer)
    stored = await running.bus.store(subjects.ledger(TENANT, stands.aggregate), body)
    await running.does("piotr", "sign_in")
    await running.does(
        "service:cli",
        "reject_entry",
        sequence=stored.sequence,
        sha256=ids.body_sha256(body),
        reason="a test",
    )
    await running.until(lambda: running.events("contact.offered"))
    offer = running.events("contact.offered")[-1]
    fields = {"conversation": offer.conversation, "offer_id": offer.open.offer_id}
    await running.routers[-1].kill()
    await running.start_router()
    await running.does("piotr", "accept_offer", **fields)


async def test_a_router_starts_behind_a_foreign_policy(running: RunningRouter) -> None:
    """And takes the command that rejects the entry; what is named wrongly is refused."""
    subject = subjects.ledger(TENANT, "policy-tenant")
    stored = await running.bus.store(subject, b"foreign")
    await running.start_router()
    fields = {"sequence": stored.sequence, "reason": "a test"}
    body = running.body("service:cli", "reject_entry", sha256="0" * 64, **fields)
    assert (await running.asks("reject_entry", body))["error"]["code"] == "entry.unknown"
    sha256 = ids.body_sha256(b"foreign")
    await running.does("service:cli", "reject_entry", sha256=sha256, **fields)
    await running.routers[-1].kill()
    await running.start_router()
    await running.until(lambda: running.events("policy.applied"))


async def test_an_integration_registers_customers_and_takes_no_work(tmp_path: Path) -> None:
    """In the ledger it is itself; what is for agents alone it may not do, though its policy names it."""
    rights = {"commands": ["register_customer", "sign_in"]}
    running = RunningRouter(tmp_path, integrations={"crm": rights})
    await running.open()
    try:
        await running.start_router()

        async def gives(verb: str, **fields: Any) -> Any:
            subject = subjects.asked_as(subjects.command(TENANT, verb), "crm")
            body = running.body("piotr", verb, **fields)
            return msgspec.json.decode(await running.bus.request(subject, body))

        handles = [{"kind": "phone", "value": "+48601234567", "verified": True}]
        assert (await gives("register_customer", name="Anna", handles=handles))["ok"]
        await running.until(lambda: running.events("customer.created"))
        assert {each.actor for each in running.events("customer.created")} == {"integration:crm"}
        for verb in ("sign_in", "resolve"):
            assert (await gives(verb))["error"]["code"] == "command.forbidden"
    finally:
        await running.close()
