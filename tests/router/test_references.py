"""References: what a provider or a page names leads to its own account's contacts, also in older ledgers."""

from urllib.parse import urlencode

import msgspec
import pytest
from msgspec.structs import replace

from services.ingest.channels import chat, twilio_voice
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import reports_of
from services.router.domain import references
from services.router.domain.facts import number_handle
from services.router.domain.registering import external_handle
from shared import handles
from shared.events import ContactId, Handle, IdentityClaimed, InboundEvent
from tests.ingest.running_ingest import raw
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import call, mail, message

CALL = "CA00000000000000000000000000000001"


def of_call(status: str = "ringing") -> InboundEvent:
    """Return what becomes of a report on a call whose number is withheld."""
    fields = {"CallSid": CALL, "CallStatus": status, "Direction": "inbound", "From": "anonymous"}
    return only(twilio_voice, raw("twilio_voice", urlencode(fields).encode()))


def of_chat(session: str, text: str = "hello", name: str = "1") -> InboundEvent:
    """Return what becomes of a visitor's message."""
    body = msgspec.json.encode({"session": session, "id": name, "text": text})
    return only(chat, raw("chat", body))


def only(channel: object, delivery: RawDelivery) -> InboundEvent:
    ((_, event),) = reports_of(delivery, channel.parse(delivery))  # type: ignore[attr-defined]
    assert isinstance(event, InboundEvent)
    return event


def unscoped(event: InboundEvent) -> InboundEvent:
    """Return a contact event as it was reported before references had accounts."""
    assert event.personal is not None
    known = [
        Handle(kind=each.kind, value=each.value.rpartition("/")[2])
        if each.kind == "reference"
        else each
        for each in event.personal.handles
    ]
    personal = replace(event.personal, handles=known)
    return replace(event, data=replace(event.data, personal=personal))


async def older_ledger(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch, *events: InboundEvent
) -> None:
    """Let a router decide as it did before references had accounts."""
    with monkeypatch.context() as older:
        older.setattr(references, "within_account", lambda _, handle: handle)
        older.setattr(references, "itself", lambda it: plain(it.open.contact_id))
        await router.happens(*map(unscoped, events))
    router.restart()


def plain(value: str) -> Handle:
    return Handle(kind="reference", value=value)


async def test_a_session_that_is_named_as_a_call_leads_to_no_call(router: InMemoryRouter) -> None:
    """A visitor names her session herself: whatever she writes there, it is a name of her account's chats."""
    started = of_call()
    names = [CALL, started.open.contact_id, f"contact={CALL}", f"twilio_voice/main/{CALL}"]
    await router.happens(started)
    for number, name in enumerate(names):
        await router.happens(of_chat(name, name=str(number)))
    found = await router.conversations()
    assert [len(it.contacts.by_id) for it in found] == [1] * (1 + len(names))
    assert len({it.customer for it in found}) == 1 + len(names)


async def test_a_session_and_a_call_still_lead_to_themselves(router: InMemoryRouter) -> None:
    """By their own references, where nothing else says who it is."""
    await router.happens(of_call(), of_chat("s-1"), of_call("completed"), of_chat("s-1", "b", "2"))
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [1, 1]


async def test_what_is_open_in_an_older_ledger_is_found(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session, a call, and a contact that is its own reference; once found, it is claimed within its account."""
    bounce = [mail("mailer-daemon@mx.example")]
    returned = message("returned", channel="email", handles=bounce, name="b1")
    await older_ledger(router, monkeypatch, of_call(), of_chat("s-1"), returned)
    before = len(await router.all(IdentityClaimed))
    await router.happens(of_call("in-progress"), of_chat("s-1", "still there?", "2"))
    await router.happens(message("again", channel="email", handles=bounce, name="b1", k=1))
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [1, 1, 1]
    assert len((await router.all(IdentityClaimed))[before:]) == 3
    await router.happens(of_call("completed"), of_chat("s-1", "hello?", "3"))
    assert len(await router.all(IdentityClaimed)) == before + 3, "once"


async def test_an_older_ledger_opens_no_call_to_a_session(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no account there leads back only what has the very same contact."""
    await older_ledger(router, monkeypatch, of_call(), of_chat("s-1"))
    await router.happens(of_chat(CALL, name="9"), call("started", "s-1", handles=[]))
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [1, 1, 1, 1]


async def test_what_was_reported_before_is_taken_within_its_account(
    router: InMemoryRouter,
) -> None:
    """Events that waited in CONTACTS, or were parked, name no account in their references."""
    await router.happens(unscoped(of_call()), unscoped(of_chat(CALL)), of_call("completed"))
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [1, 1]


def test_every_reference_has_an_account_or_a_word_of_the_routers() -> None:
    """No two kinds can be written alike: a channel has no `=` in its name, a word of the router's no `/`."""
    told = references.told_in(ContactId("c1"))
    assert [told.value, external_handle("7").value] == ["contact=c1", "customer=7"]
    assert handles.reference("chat", "main", "a=b/c").value == "chat/main/a=b/c"


@pytest.mark.parametrize("word", ["contact", "customer", "fact", "sent"])
def test_a_fact_is_no_word_of_the_routers(word: str) -> None:
    """A policy may call a number as it likes: what a stranger writes there is nobody's id of a customer."""
    assert number_handle(word, "7").value == f"fact={word}=7"
    assert number_handle("order", "7").value == "order=7", "as older ledgers have it"


async def test_nobody_goes_on_with_a_mail_by_its_id_alone(router: InMemoryRouter) -> None:
    """A stranger who knows the Message-ID of somebody's mail and writes another one under it writes for himself."""
    hers, his = mail("anna@x.example", proof="claimed"), mail("eve@y.example", proof="claimed")
    await router.happens(message("mine", "m1", channel="email", handles=[hers]))
    await router.happens(message("and mine", "m1", channel="email", handles=[his], k=1))
    await router.happens(message("nobody's", "m1", channel="email", handles=[], k=2))
    assert len(await router.conversations()) == 3
    await router.happens(message("more", "m1", channel="email", handles=[hers], k=3))
    assert len(await router.conversations()) == 3, "who wrote it goes on"
