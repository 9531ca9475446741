"""Two routers at once on a real NATS: exactly one decision, and a clear answer for everybody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from shared.events import InboundEvent
from tests.router.invariants import check_recorded
from tests.router.running_router import RunningRouter
from tests.router.samples import call, form, mail, message, phone

ROUNDS = 20
NOT_OPEN = "transfer.not_open"
Person = tuple[str, Any, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningRouter]:
    """One NATS, two routers."""
    opened = RunningRouter(tmp_path_factory.mktemp("router"))
    await opened.open()
    await opened.two_routers()
    yield opened
    await opened.close()
    check_recorded(opened.book)


def now() -> datetime:
    return datetime.now(UTC)


async def somebody(running: RunningRouter, number: int, who: str) -> Person:
    """Register a customer with a number and an address that nobody else has."""
    number_, address = phone(f"+4860{who}{number:04}"), mail(f"p{who}{number}@x.example")
    handles = [{"kind": each.kind, "value": each.value} for each in (number_, address)]
    await running.does("service:shop", "register_customer", name="Anna", handles=handles)
    return f"{who}-{number}", number_, address


async def offered_to_somebody(running: RunningRouter, name: str, person: Person) -> Any:
    """A call of this person waits and is offered; return the offer event."""
    ringing = call("started", name, handles=[person[1]], at=now())
    await running.happens(ringing)
    contact = ringing.open.contact_id
    await running.until(
        lambda: any(e.open.contact_id == contact for e in running.events("contact.offered"))
    )
    (offer,) = [e for e in running.events("contact.offered") if e.open.contact_id == contact]
    return offer


async def ended(running: RunningRouter, agent: str, conversation: str) -> None:
    """The agent finishes a conversation, so that her slot is free."""
    fields = {"conversation": conversation}
    await running.does(agent, "wrap_up", disposition="solved", summary="done", **fields)
    await running.does(agent, "resolve", **fields)


async def test_whoever_accepts_while_a_supervisor_takes_it_does_not_keep_it(
    running: RunningRouter,
) -> None:
    """The colleague's acceptance, the sender's second thoughts and the supervisor at once: it is the supervisor's."""
    await running.does("ewa", "sign_in")
    await running.does("marek", "sign_in")
    for number in range(5):
        await running.does("piotr", "set_status", status="signed_out")
        offer = await offered_to_somebody(
            running, f"S{number}", await somebody(running, number, "5")
        )
        fields = {"conversation": offer.conversation}
        await running.does("ewa", "accept_offer", **fields, offer_id=offer.open.offer_id)
        await running.does("piotr", "sign_in")
        to = {"agent": "marek"}
        await running.does("ewa", "transfer", **fields, to=to, kind="warm", brief="please")
        asked = await _transfer_offered(running, offer.conversation)
        transfer = {**fields, "transfer_id": asked.open.transfer_id}
        bodies = {
            "accept_transfer": running.body("marek", "accept_transfer", **transfer),
            "cancel_transfer": running.body("ewa", "cancel_transfer", **transfer),
            "take_over": running.body("piotr", "take_over", **fields, reason="she waits"),
        }
        replies = await asyncio.gather(*(running.asks(*each) for each in bodies.items()))
        codes = [reply["error"]["code"] if "error" in reply else "done" for reply in replies]
        assert codes[2] == "done"
        assert sorted(codes[:2]) in (["done", NOT_OPEN], [NOT_OPEN, NOT_OPEN])
        await running.does("piotr", "send_message", **fields, channel="email", text="I am here.")
        await running.happens(call("ended", f"S{number}", handles=[], at=now(), k=9))
        await ended(running, "piotr", offer.conversation)
    for agent in ("piotr", "ewa", "marek"):
        await running.does(agent, "set_status", status="signed_out")


async def _transfer_offered(running: RunningRouter, conversation: str) -> Any:
    def found() -> list[Any]:
        return [e for e in running.events("transfer.offered") if e.conversation == conversation]

    await running.until(lambda: bool(found()))
    return found()[-1]


async def test_two_channels_ringing_at_once_for_one_person_open_one_conversation(
    running: RunningRouter,
) -> None:
    """Her call and her mail, taken in by two routers at the same time, twenty times."""
    people = [await somebody(running, number, "1") for number in range(ROUNDS)]
    pairs: list[tuple[InboundEvent, InboundEvent]] = [
        (
            call("started", f"CA-{name}", handles=[number], at=now()),
            message("hello", f"m-{name}", channel="email", handles=[address], at=now()),
        )
        for name, number, address in people
    ]
    for pair in pairs:
        await asyncio.gather(*(running.happens(event) for event in pair))
    for pair in pairs:
        await running.until_recorded(*pair)
        (one,), (other,) = (running.holds(event) for event in pair)
        assert one.aggregate == other.aggregate
        opened = [e for e in running.of_type("conversation.opened") if e.aggregate == one.aggregate]
        assert len(opened) == 1
    customers = [e.customer for e in running.events("conversation.opened")]
    assert len(set(customers)) == len(customers)


async def test_a_stranger_ringing_on_two_lines_at_once_becomes_one_customer(
    running: RunningRouter,
) -> None:
    """Both calls come from a number that nobody knows: the claim of the number decides."""
    for number in range(ROUNDS):
        handles = [phone(f"+4870{number:04}")]
        calls = [call("started", f"S{number}{line}", handles=handles, at=now()) for line in "ab"]
        await asyncio.gather(*(running.happens(event) for event in calls))
        await running.until_recorded(*calls)
        assert len({running.holds(event)[0].aggregate for event in calls}) == 1


async def test_of_two_acceptances_at_once_one_wins(running: RunningRouter) -> None:
    """Two commands of the agent who was asked, and one of a colleague: one is done, the others say why not."""
    for number in range(5):
        person = await somebody(running, number, "2")
        await running.does("marek", "sign_in")
        offer = await _offer_at_the_warehouse(running, f"W{number}", person)
        fields = {"conversation": offer.conversation, "offer_id": offer.open.offer_id}
        bodies = [running.body(who, "accept_offer", **fields) for who in ("marek", "marek", "ewa")]
        replies = await asyncio.gather(*(running.asks("accept_offer", body) for body in bodies))
        codes = [reply["error"]["code"] if "error" in reply else "done" for reply in replies]
        assert sorted(codes[:2]) == ["done", "offer.expired"]
        assert codes[2] in {"offer.not_yours", "offer.expired"}
        await ended(running, "marek", offer.conversation)


async def _offer_at_the_warehouse(running: RunningRouter, name: str, person: Person) -> Any:
    sent = form("where?", name, topic="delivery", handles=[person[2]], at=now())
    await running.happens(sent)
    contact = sent.open.contact_id
    await running.until(
        lambda: any(e.open.contact_id == contact for e in running.events("contact.offered"))
    )
    (offer,) = [e for e in running.events("contact.offered") if e.open.contact_id == contact]
    return offer


async def test_of_two_transfers_at_once_one_is_open(running: RunningRouter) -> None:
    """The owner's two clicks on two targets: one transfer, and one refusal that says so."""
    await running.does("marek", "sign_in")
    for number in range(5):
        offer = await _offer_at_the_warehouse(
            running, f"T{number}", await somebody(running, number, "3")
        )
        conversation = offer.conversation
        fields = {"conversation": conversation, "offer_id": offer.open.offer_id}
        await running.does("marek", "accept_offer", **fields)
        bodies = [
            running.body(
                "marek", "transfer", conversation=conversation, to=to, kind="warm", brief="please"
            )
            for to in ({"agent": "ewa"}, {"agent": "piotr"})
        ]
        replies = await asyncio.gather(*(running.asks("transfer", body) for body in bodies))
        codes = [reply["error"]["code"] if "error" in reply else "done" for reply in replies]
        assert sorted(codes) == ["done", "transfer.already_open"]
        await ended(running, "marek", conversation)


async def test_one_command_sent_four_times_at_once_is_one_effect(running: RunningRouter) -> None:
    """Both routers have it at the same time: every copy gets the same reply."""
    await running.does("marek", "sign_in")
    offer = await _offer_at_the_warehouse(running, "R1", await somebody(running, 1, "4"))
    fields = {"conversation": offer.conversation}
    await running.does("marek", "accept_offer", **fields, offer_id=offer.open.offer_id)
    for number in range(10):
        body = running.body("marek", "record_fact", **fields, fact="wish", value=f"wish {number}")
        first, *others = await asyncio.gather(
            *(running.asks("record_fact", body) for _ in range(4))
        )
        assert first["ok"]
        assert [event["type"] for event in first["events"]] == ["fact.stated"]
        assert others == [first] * 3
    await ended(running, "marek", offer.conversation)
    wishes = [e for e in running.events("fact.stated") if e.conversation == offer.conversation]
    assert [each.personal.value for each in wishes] == [f"wish {number}" for number in range(10)]


async def test_bad_commands_are_answered_with_their_code(running: RunningRouter) -> None:
    """Reused, too old, unreadable, unknown conversation: there is always a reply."""
    body = running.body("piotr", "sign_in", command_id="once")
    await running.asks("sign_in", body)
    again = running.body("piotr", "set_status", command_id="once", status="away")
    old = running.body("piotr", "sign_in", issued_at="2020-01-01T00:00:00Z")
    nowhere = running.body("piotr", "resolve", conversation="No Such Thing")
    replies = [
        await running.asks("set_status", again),
        await running.asks("sign_in", old),
        await running.asks("sign_in", b"\0\xff"),
        await running.asks("resolve", nowhere),
    ]
    assert [reply["error"]["code"] for reply in replies] == [
        "command.id_reused",
        "command.too_old",
        "command.unreadable",
        "conversation.unknown",
    ]
    await running.does("piotr", "set_status", status="signed_out")
