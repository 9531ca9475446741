"""The router's process: killed, stopped, started again, and next to neighbours who are away."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from shared import subjects
from shared.events import InboundEvent
from tests.router.house import House
from tests.router.invariants import check_recorded
from tests.router.samples import TENANT, call, form, message, phone
from tests.support.waiting import eventually

KILL_SEED = 11
KILLS = 3


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """Real servers and no router yet; parametrize indirectly with times of the policy."""
    opened = House(tmp_path, getattr(request, "param", None))
    await opened.open()
    yield opened
    await opened.close()


async def offer_to(house: House, agent: str, event: InboundEvent) -> dict[str, str]:
    """The agent signs in and is offered this contact; return what she answers with."""
    await house.does(agent, "sign_in")
    await house.happens(event)
    await house.until(lambda: house.events("contact.offered"))
    offer = house.events("contact.offered")[-1]
    return {"conversation": offer.conversation, "offer_id": offer.open.offer_id}


async def test_a_command_sent_again_after_a_restart_gets_the_same_reply(house: House) -> None:
    """What was done is in the ledger, not in the process."""
    router = await house.start_router()
    fields = await offer_to(house, "piotr", call("started", at=now()))
    body = house.body("piotr", "accept_offer", **fields)
    first = await house.asks("accept_offer", body)
    await router.kill()
    await house.start_router()
    assert await house.asks("accept_offer", body) == first
    assert [event["type"] for event in first["events"]] == ["contact.accepted"]
    assert len(house.events("contact.accepted")) == 1


async def test_a_router_killed_at_any_moment_doubles_nothing(house: House) -> None:
    """Signal 9 again and again while contacts come in: each is in the ledger once, and all invariants hold."""
    drawn = random.Random(KILL_SEED)
    await house.start_router()
    await house.does("piotr", "sign_in")
    await house.does("ewa", "sign_in")
    events: list[InboundEvent] = []
    for number in range(12):
        handles = [phone(f"+4860010{number % 5:04}")]
        events += [
            call(kind, f"CA{number}", handles=handles, at=now(), k=k)
            for k, kind in enumerate(("started", "menu", "answered", "ended"))
        ]
    sending = asyncio.create_task(house.happens(*events))
    for _ in range(KILLS):
        written = len(house.book) + drawn.randint(1, 25)
        await house.until(lambda: len(house.book) >= written or all(map(house.holds, events)))  # noqa: B023
        await house.routers[-1].kill()
        await house.start_router()
    await sending
    await house.until_recorded(*events)
    await house.idle()
    assert [len(house.holds(event)) for event in events] == [1] * len(events)
    lost = house.events("contact.abandoned")
    assert len({event.open.contact_id for event in lost}) == len(lost)
    check_recorded(house.book)


@pytest.mark.parametrize("house", [{"transfer_seconds": 1.0, "offer_seconds": 30}], indirect=True)
async def test_a_transfer_runs_out_while_no_router_is_there(house: House) -> None:
    """The server holds the timer; the next router hears of it and brings the conversation back."""
    router = await house.start_router()
    fields = await offer_to(house, "marek", form("?", topic="delivery", at=now()))
    await house.does("marek", "accept_offer", **fields)
    await house.does(
        "marek",
        "transfer",
        conversation=fields["conversation"],
        to={"agent": "ewa"},
        kind="warm",
        brief="please",
    )
    await router.kill()

    async def fired() -> bool:
        info = await house.bus.api("STREAM.INFO.TIMERS", {"subjects_filter": "fired.>"})
        kinds = [subject.split(".")[-2] for subject in info["state"].get("subjects") or {}]
        return "transfer_expiry" in kinds

    await eventually(fired)
    assert not house.events("transfer.expired")
    await house.start_router()
    await house.until(lambda: house.events("transfer.expired"))
    assert house.events("transfer.expired")[0].open.returned_to == "agent-marek"
    check_recorded(house.book)


@pytest.mark.parametrize("house", [{"offer_seconds": 1.0}], indirect=True)
async def test_an_offer_runs_out_on_a_running_router(house: House) -> None:
    """Its timer was armed with it; the server fires it, the contact is offered again after the agent's rest."""
    await house.start_router()
    await offer_to(house, "marek", form("?", topic="delivery", at=now()))
    await house.until(lambda: len(house.events("contact.offered")) == 2)
    first, second = house.events("contact.offered")
    (expired,) = house.events("contact.offer_expired")[:1]
    assert expired.open.offer_id == first.open.offer_id != second.open.offer_id
    assert expired.recorded >= first.open.expires


@pytest.mark.parametrize(
    "drifted",
    ["CONSUMER.DELETE.CONTACTS.router-contacts-7", "STREAM.DELETE.TIMERS"],
)
async def test_a_drifted_stream_stops_the_start(house: House, drifted: str) -> None:
    """A missing consumer or stream: the router ends with `stream.drift` and makes nothing by itself."""
    await house.bus.api(drifted)
    router = await house.launch_router()

    async def ended() -> bool:
        return router.exit_code is not None

    await eventually(ended)
    assert router.exit_code == 1
    assert '"code":"stream.drift"' in router.program.log_path.read_text("utf-8").replace(" ", "")
    assert house.book == []


async def test_only_events_that_may_be_old_wait_for_history(house: House) -> None:
    """While history is away young calls are taken in; an old one waits, and is taken in when history is back."""
    await house.history_is_away()
    await house.start_router()
    old = call("started", "OLD", handles=[phone("+48111")], at=now() - timedelta(seconds=70))
    unsigned = message("hello", "U", handles=[phone("+48222")], at=now(), provider_time=None)
    young = call("started", "YOUNG", handles=[phone("+48333")], at=now())
    await house.happens(old, unsigned, young)
    await house.until_recorded(young)
    assert not house.holds(old)
    assert not house.holds(unsigned)
    await house.history_answers()
    await house.until_recorded(old, unsigned)


async def test_an_old_event_that_history_knows_is_not_decided_again(house: House) -> None:
    """It comes once more long after the streams have forgotten its id."""
    await house.start_router()
    event = message("hello", at=now(), provider_time=None)
    await house.happens(event)
    await house.until_recorded(event)
    body = msgspec.json.encode(event)
    await house.stores("chat", event.open.contact_id, body, "another delivery")
    await house.idle([subjects.partition(event.open.contact_id)])
    assert len(house.holds(event)) == 1


async def test_what_is_no_event_blocks_nobody(house: House) -> None:
    """Garbage in a contact's partition is dead-lettered; the next contact of that partition goes on."""
    router = await house.start_router()
    event = call("started", at=now())
    for number, body in enumerate([b"\0", b"[]", b"\xff", b"{}"]):
        await house.stores("twilio_voice", event.open.contact_id, body, f"garbage {number}")
    await house.happens(event)
    await house.until_recorded(event)
    logged = router.program.log_path.read_text("utf-8")
    assert logged.count("delivery_dead_lettered") == 4


async def test_an_event_of_a_newer_version_stops_its_conversation_only(house: House) -> None:
    """Commands there are refused with `event.unknown_type`; others are offered and taken, also after a restart."""
    await house.start_router()
    first = call("started", "CA1", handles=[phone("+48111")], at=now())
    await house.happens(first)
    await house.until_recorded(first)
    (stands,) = house.holds(first)
    newer = msgspec.json.decode(stands.body)
    newer |= {"type": "conversation.dreamt_of", "id": "newer"}
    subject = subjects.ledger(TENANT, stands.aggregate)
    await house.bus.store(subject, msgspec.json.encode(newer), msg_id="newer")
    for number in range(2):
        if number:
            await house.routers[-1].kill()
            await house.start_router()
        conversation = stands.aggregate.removeprefix("conv-")
        body = house.body("piotr", "resolve", conversation=conversation)
        error = (await house.asks("resolve", body))["error"]
        assert (error["code"], error["retryable"]) == ("event.unknown_type", True)
        await house.does("piotr", "sign_in")
        other = call("started", f"CB{number}", handles=[phone(f"+4822{number}")], at=now())
        await house.happens(other)
        await house.until(lambda: len(house.events("contact.offered")) == number + 1)  # noqa: B023
