"""What WhatsApp sends seldom, or as its documents print it: no type, no sender, forms within forms, signs of ours."""

from typing import Any

import pytest

from services.ingest.channels import whatsapp
from services.ingest.channels.shapes import graph_fields
from services.ingest.domain.outcome import Ignored, Quarantined
from tests.ingest.graph_deliveries import golden
from tests.ingest.running_ingest import parsed, raw
from tests.ingest.test_whatsapp import ANNA, TEXT, handles, of

BODY = golden("whatsapp_odd")


def test_each_thing_is_read_without_what_is_not_told() -> None:
    """A message without a type is what it holds, also one of the business's own telephone."""
    found = [
        (each.type, each.open.provider_id, getattr(each.personal, "text", each.type))
        for each in parsed(raw("whatsapp", BODY))
    ]
    assert found == [
        ("message.received", "wamid.place", "Locker KRA01M\ngeo:52.25,21.5"),
        ("message.received", "wamid.card", "Olek, +48 600 000 000"),
        ("message.received", "wamid.words", "Is it open?"),
        ("message.received", "wamid.nameless", "And on Sunday?"),
        ("message.reacted", "wamid.sign", "message.reacted"),
        (
            "message.received",
            "wamid.form",
            "saved_address_id: a1\ncity: Kraków\nzip: 30-001\nagreed: true",
        ),
        ("message.echoed", "wamid.phone", "We are open."),
    ]
    assert all(f"+{ANNA}" in handles(each) for each in parsed(raw("whatsapp", BODY)))


def test_a_sign_names_its_message_as_older_documents_spell_it() -> None:
    """`messsage_id`, with one letter more."""
    (event,) = [each for each in parsed(raw("whatsapp", BODY)) if each.type == "message.reacted"]
    assert (event.open.refers_to, event.personal.reaction) == ("wamid.ours", "👍")


def test_who_wrote_is_not_guessed_among_several() -> None:
    """Two contacts beside a message without a sender: nobody says which of them it was."""
    message = {name: each for name, each in TEXT.items() if name != "from"}
    people = [{"wa_id": ANNA}, {"wa_id": "48600000001"}]
    body = of({"contacts": people, "messages": [message]})
    assert whatsapp.parse(raw("whatsapp", body)) == Quarantined("payload.unreadable", "text")


def test_statuses_of_one_message_are_facts_of_their_own() -> None:
    """Who of a group has it, and that a voice message was heard; each has the message's id."""
    status = {"id": "wamid.ours", "status": "read", "timestamp": "1795339990", "recipient_id": ANNA}
    group = {**status, "recipient_id": "g", "recipient_type": "group"}
    told = [
        status,
        {**status, "status": "played"},
        {**group, "recipient_participant_id": ANNA},
        {**group, "recipient_participant_id": "48600000001"},
    ]
    found = [parsed(raw("whatsapp", of({"statuses": [each]})))[0] for each in told]
    assert {(each.type, each.open.provider_id) for each in found} == {
        ("message.read", "wamid.ours")
    }
    assert len({each.id for each in found}) == len(told)


@pytest.mark.parametrize(("kind", "word"), sorted(whatsapp.ECHOES_IGNORED.items()))
def test_a_sign_of_ours_is_no_answer(kind: str, word: str) -> None:
    """What somebody of ours does to a message says nothing to the customer."""
    echo = {"to": ANNA, "id": "wamid.9", "timestamp": "1795339990", "type": kind, kind: {"x": "y"}}
    body = of({"message_echoes": [echo]}, "smb_message_echoes")
    assert whatsapp.parse(raw("whatsapp", body)) == Ignored(word)


@pytest.mark.parametrize("field", sorted(graph_fields.WHATSAPP))
def test_a_field_of_the_account_is_ignored_by_name(field: str) -> None:
    """Its numbers, templates and groups are no conversation."""
    value: dict[str, Any] = {"event": "APPROVED"}
    assert whatsapp.parse(raw("whatsapp", of(value, field))) == Ignored(field)


def test_a_list_without_elements_is_ignored() -> None:
    """It says at most for which number it is."""
    assert whatsapp.parse(raw("whatsapp", of({"messages": []}))) == Ignored("metadata")


def test_a_field_that_was_left_empty_is_no_line() -> None:
    """Of a form within the chat only what was filled in is said."""
    reply = {"name": "flow", "body": "Sent", "response_json": '{"floor": "", "city": "Brno"}'}
    form = {"type": "nfm_reply", "nfm_reply": reply}
    message = {**TEXT, "type": "interactive", "interactive": form}
    (event,) = parsed(raw("whatsapp", of({"messages": [message]})))
    assert event.personal.text == "city: Brno"
