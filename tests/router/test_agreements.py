"""What was agreed, made good and noted stands on record, and whoever has the matter next sees it."""

from typing import Any

import msgspec
import pytest

from services.router.domain import folds
from shared import events
from shared.conversation import Conversation
from shared.events.packet import Done
from shared.packet import package
from tests.router.given import Given
from tests.router.in_memory_router import InMemoryRouter
from tests.router.proved import CLAIMED, packet_of, registered
from tests.router.samples import ANNA, call, message, phone
from tests.router.test_attachments import kept_recording, recording
from tests.router.test_decide import owned

SAID: dict[str, dict[str, Any]] = {
    "record_agreement": {"text": "We keep it until Friday."},
    "record_apology": {"text": "It lay in the wrong branch."},
    "offer_compensation": {
        "kind": "voucher",
        "text": "50 zł for the next order",
        "amount": {"minor": 5_000, "currency": "PLN"},
        "code": "SORRY-50",
    },
    "add_note": {"text": "She is hard of hearing."},
}
"""A command of each kind."""


def shown(conversation: Conversation, customer: Any) -> list[Done]:
    """Return what a packet would show as done."""
    it = package(conversation, customer, packet_id=events.PacketId("p"), policy_version="v")
    return it.done


def test_the_next_one_sees_what_was_agreed_made_good_and_noted() -> None:
    """In their order, each with who and in which contact; of a compensation all that is needed to honour it."""
    given = owned()
    for verb, said in SAID.items():
        given = given.does("piotr", verb, **said)
    done = shown(given.conversation, given.loaded.customer)
    (contact_id,) = given.conversation.contacts.by_id
    assert [(each.what, each.by, each.contact_id) for each in done] == [
        ("agreed", "piotr", contact_id),
        ("apologised", "piotr", contact_id),
        ("compensated", "piotr", contact_id),
        ("noted", "piotr", None),
    ]
    assert [each.text for each in done] == [said["text"] for said in SAID.values()]
    given_away = done[2]
    assert (given_away.kind, given_away.amount_minor, given_away.currency, given_away.code) == (
        "voucher",
        5_000,
        "PLN",
        "SORRY-50",
    )


@pytest.mark.parametrize("verb", SAID)
def test_nothing_of_it_is_sent_to_the_customer_or_answers_her(verb: str) -> None:
    """One event, and she still waits for her answer; what it says stands in its personal part alone."""
    given = owned()
    outcome = given.when("piotr", verb, **SAID[verb])
    (event,) = outcome.events
    opened = msgspec.json.encode(event.open).decode()
    assert SAID[verb]["text"] not in opened
    assert "SORRY" not in opened
    after = given.after(outcome).conversation
    assert (after.talk, after.ownership) == (given.conversation.talk, given.conversation.ownership)
    assert after.talk.unanswered == 1


@pytest.mark.parametrize("verb", SAID)
def test_what_no_packet_holds_is_refused(verb: str) -> None:
    """A packet is bounded, whatever people write."""
    given = owned()
    too_long = {**SAID[verb], "text": "ż" * 300}
    assert given.when("piotr", verb, **too_long).refused == "text.too_long"
    assert given.when("piotr", verb, **{**SAID[verb], "text": "a\0"}).refused == "text.has_nul"


@pytest.mark.parametrize("verb", SAID)
def test_it_may_be_written_down_after_the_end(verb: str) -> None:
    """An apology is no less one; only what goes on elsewhere is written there."""
    given = owned()
    wrapped = {"disposition": "solved", "summary": "done"}
    given = given.does("piotr", "wrap_up", **wrapped).does("piotr", "resolve")
    assert len(given.when("ewa", verb, **SAID[verb]).types) == 1


def test_an_agreement_says_with_whom_and_in_which_contact() -> None:
    """Who was on the phone, though another one wrote meanwhile."""
    given = Given().on_duty("piotr").reports(call("started", handles=[phone()], caller="Anna"))
    given = given.offered().accepted().reports(message("hello", "m2"))
    called, _ = given.conversation.contacts.by_id
    outcome = given.when("piotr", "record_agreement", text="Until Friday.", contact_id=called)
    (event,) = outcome.events
    assert isinstance(event, events.AgreementMade)
    assert (event.open.contact_id, event.open.channel) == (called, "twilio_voice")
    assert event.personal is not None
    assert event.personal.handle is not None
    assert (event.personal.name, event.personal.handle.value) == ("Anna", ANNA)


@pytest.mark.parametrize("recorded_first", [True, False])
async def test_what_was_agreed_in_a_call_leads_to_its_recording(
    router: InMemoryRouter, *, recorded_first: bool
) -> None:
    """Whenever the provider has it: as a rule after the agent has written it down."""
    it = await router.owned_by("piotr", call("started"))
    recorded = recording()
    stored = kept_recording(recorded)
    agreed = {"conversation": it, "text": "Until Friday."}
    if not recorded_first:
        await router.does("piotr", "record_agreement", **agreed)
    await router.happens(recorded, stored)
    if recorded_first:
        await router.does("piotr", "record_agreement", **agreed)
        assert (await router.last(events.AgreementMade)).open.recording is not None
    (done,) = (await packet_of(router, await router.conversation())).done
    assert (done.what, done.recording) == ("agreed", stored.open.attachment_id)


# -- her next matter --------------------------------------------------------------------------------


async def ends(router: InMemoryRouter, it: events.ConversationId) -> None:
    await router.does("piotr", "wrap_up", conversation=it, disposition="solved", summary="done")
    await router.does("piotr", "resolve", conversation=it)


async def made_good(router: InMemoryRouter) -> events.ConversationId:
    """Anna called, was told all of it, and her matter is over."""
    it = await router.owned_by("piotr", call("started", handles=[phone()]))
    for verb, said in SAID.items():
        await router.does("piotr", verb, conversation=it, **said)
    await ends(router, it)
    return it


async def test_her_next_matter_knows_what_was_made_good_to_her(router: InMemoryRouter) -> None:
    """And in which one it was; a note and a wrap-up stay where they are, and a stranger's matter knows nothing."""
    before = await made_good(router)
    again, stranger = call("started", "CA2", handles=[phone()]), message("hi", "m7")
    await router.happens(again, stranger)
    _, hers, other = await router.conversations()
    done = (await packet_of(router, hers)).done
    assert [(each.what, each.conversation) for each in done] == [
        ("agreed", before),
        ("apologised", before),
        ("compensated", before),
    ]
    assert done[-1].code == "SORRY-50"
    assert (await packet_of(router, other)).done == []


async def test_what_was_made_good_long_ago_comes_along_once(router: InMemoryRouter) -> None:
    """Through a matter in which nothing was, and not more often than it was."""
    before = await made_good(router)
    for number in (2, 3):
        await router.happens(call("started", f"CA{number}", handles=[phone()]))
        await router.offers()
        it = (await router.conversations())[-1]
        offer = it.ownership.offer
        assert offer is not None
        said = {"conversation": it.id, "offer_id": offer.offer_id}
        await router.does("piotr", "accept_offer", **said)
        done = (await packet_of(router, it)).done
        assert [each.conversation for each in done] == [before] * 3
        await ends(router, it.id or before)


async def test_what_was_made_good_to_another_one_is_shown_to_nobody_else(
    router: InMemoryRouter,
) -> None:
    """Whoever had her number is confirmed to be Olek: her past is not handed over with the call."""
    await made_good(router)
    olek = await registered(router, "Olek", email="olek@customer.example")
    await router.happens(call("started", "CA2", handles=[phone()]))
    await router.offers()
    it = (await router.conversations())[-1]
    assert it.ownership.offer is not None
    assert it.matter.done != ()
    said = {"conversation": it.id, "offer_id": it.ownership.offer.offer_id}
    await router.does("piotr", "accept_offer", **said)
    await router.does("piotr", "confirm_customer", conversation=it.id, customer=olek)
    linked = await router.load(folds.CONVERSATION, it.id or "")
    assert (linked.customer, linked.matter.done) == (olek, ())


async def test_it_is_written_down_where_the_matter_goes_on(router: InMemoryRouter) -> None:
    """What was merged says where, and what was done in it is done there."""
    anna = await registered(router, "Anna", phone=ANNA)
    await router.happens(call("started"))
    await router.happens(message("I am Anna", "s1", handles=CLAIMED))
    matter, asking = await router.conversations()
    await router.on_duty("piotr")
    await router.offers()
    offer = (await router.load(folds.CONVERSATION, asking.id or "")).ownership.offer
    assert offer is not None
    asked = {"conversation": asking.id}
    await router.does("piotr", "accept_offer", **asked, offer_id=offer.offer_id)
    await router.does("piotr", "record_apology", **asked, **SAID["record_apology"])
    await router.does("piotr", "confirm_customer", **asked, customer=anna)
    matter, _ = await router.conversations()
    assert [each.what for each in matter.matter.done] == ["apologised"]
    refused = await router.refused("piotr", "add_note", **asked, **SAID["add_note"])
    assert refused == "conversation.resolved"
