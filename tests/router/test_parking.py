"""What the router cannot handle is parked, and handled later by command: in memory, and as a process."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from shared import aggregates, events, ids
from shared.arrivals import ArrivedMessage, Failed
from shared.bus.deliveries import StoredMessage
from shared.codec import encode
from shared.errors import NotAnEvent, TenantUnknown
from shared.timers import OFFER_EXPIRY, Timer
from tests.router.in_memory_router import InMemoryRouter
from tests.router.running_router import RunningRouter
from tests.router.samples import NOON, TENANT, call, form, message, phone

ACCOUNT = "chan-twilio_voice-hotline"
CLI = "service:cli"


def stored(subject: str, body: bytes, sequence: int) -> StoredMessage:
    return StoredMessage(sequence, subject, body, {}, NOON)


def failed(consumer: str, subject: str, body: bytes, sequence: int) -> Failed:
    return Failed(consumer, ArrivedMessage(subject, body, 4, sequence), "KeyError", 4)


async def parks(router: InMemoryRouter, event: events.InboundEvent, sequence: int = 88) -> str:
    """The event's message fails and is parked; return its id."""
    subject, body = f"contact.0.{TENANT}.x", encode(event)
    router.streams.held["CONTACTS", sequence] = stored(subject, body, sequence)
    await router.parking.park_contact(failed("router-contacts-0", subject, body, sequence))
    parked = await router.last(events.ContactParked)
    return parked.open.parked_id


async def test_a_parked_contact_stands_on_its_account_with_its_evidence(
    router: InMemoryRouter,
) -> None:
    """Where its message lies, what it was, how it failed; and once, however often it is parked."""
    event = replace(call("started"), raw="7:" + "a" * 64)
    parked_id = await parks(router, event)
    assert (await parks(router, event), parked_id[:-8]) == (parked_id, f"{ACCOUNT}:88-")
    (parked,) = await router.all(events.ContactParked)
    assert (parked.aggregate, parked.raw) == (ACCOUNT, event.raw)
    assert (parked.open.stream, parked.open.sequence, parked.open.failures) == ("CONTACTS", 88, 4)
    assert (parked.open.event_id, parked.open.event_type) == (event.id, "call.started")


async def test_a_parked_contact_is_told_when_it_is_retried(router: InMemoryRouter) -> None:
    """Later contacts went on; it opens or joins as if it came now, once, and is parked no more."""
    event = call("started", "CA1", handles=[phone("+48111")])
    parked_id = await parks(router, event)
    await router.happens(call("started", "CA2", handles=[phone("+48222")]))
    types = await router.does(CLI, "retry_parked", parked_id=parked_id)
    assert {"call.started", "conversation.opened"} <= set(types)
    assert types[-1] == "contact.retried"
    assert len(await router.conversations()) == 2
    assert await router.refused(CLI, "retry_parked", parked_id=parked_id) == "parked.unknown"


async def test_a_skipped_contact_never_becomes_a_fact(router: InMemoryRouter) -> None:
    """The reason and who gave it up stand in the ledger."""
    parked_id = await parks(router, call("started"))
    types = await router.does(CLI, "skip_parked", parked_id=parked_id, reason="a test call")
    assert types == ["contact.skipped"]
    skipped = await router.last(events.ContactSkipped)
    assert (skipped.actor, skipped.open.reason) == (CLI, "a test call")
    assert await router.refused(CLI, "retry_parked", parked_id=parked_id) == "parked.unknown"
    assert await router.conversations() == []


async def test_what_fails_again_stays_parked(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply has a code and the class of the exception; nothing is written."""
    parked_id = await parks(router, call("started"))

    async def breaks(_: events.AnyEvent) -> None:
        raise KeyError("x")

    with monkeypatch.context() as broken:
        broken.setattr(router.intake, "take", breaks)
        code = await router.refused(CLI, "retry_parked", parked_id=parked_id)
    assert code == "parked.fails_again"
    assert (await router.does(CLI, "retry_parked", parked_id=parked_id))[-1] == "contact.retried"


async def test_what_its_stream_has_forgotten_can_only_be_skipped(router: InMemoryRouter) -> None:
    """CONTACTS keeps a week; another message at that place is not it."""
    parked_id = await parks(router, call("started"))
    router.streams.held["CONTACTS", 88] = stored("contact.0.demo.x", b"another", 88)
    assert await router.refused(CLI, "retry_parked", parked_id=parked_id) == "parked.gone"
    router.streams.held.clear()
    assert await router.refused(CLI, "retry_parked", parked_id=parked_id) == "parked.gone"


async def unreadable(router: InMemoryRouter) -> str:
    """A form that could not be read is heard of twice; return its id."""
    account = "chan-form-contact"
    opened = events.PayloadQuarantinedOpen(
        channel="form", account="contact", code="payload.unreadable"
    )
    origin = events.Origin(
        tenant=TENANT, service="ingest", actor="channel:form/contact", occurred=NOON, recorded=NOON
    )
    for _ in range(2):
        event = events.make(events.PayloadQuarantined, origin, "unread-1", account, opened)
        await router.intake.take(event)
    return f"{account}:unread-{await router.ledger.position()}"


async def test_what_could_not_be_read_is_looked_at_and_skipped(router: InMemoryRouter) -> None:
    """It is not read again; who looked at it, and why it is done with, stand in the ledger."""
    name = await unreadable(router)
    assert await router.refused(CLI, "retry_parked", parked_id=name) == "parked.unread"
    types = await router.does(CLI, "skip_parked", parked_id=name, reason="she was called back")
    assert types == ["contact.skipped"]
    skipped = await router.last(events.ContactSkipped)
    assert (skipped.aggregate, skipped.open.parked_id) == ("chan-form-contact", name)


@pytest.mark.parametrize("name", ["chan-form-contact:unread-{}", "chan-chat-shop:unread-{}"])
async def test_nothing_else_is_skipped_as_unread(router: InMemoryRouter, name: str) -> None:
    """Neither what stands elsewhere in the ledger, nor another account's."""
    await unreadable(router)
    end = await router.ledger.position()
    place = end if "chat" in name else end + 1
    for verb, more in (("skip_parked", {"reason": "r"}), ("retry_parked", {})):
        refused = await router.refused(CLI, verb, parked_id=name.format(place), **more)
        assert refused == "parked.unknown"


@pytest.mark.parametrize("name", ["chan-email-shop:1", "conv-abc:1", "work-router-fired:2"])
async def test_nothing_is_parked_under_another_id(router: InMemoryRouter, name: str) -> None:
    """Also where the id names an aggregate that is no journal."""
    assert await router.refused(CLI, "retry_parked", parked_id=name) == "parked.unknown"
    assert await router.refused(CLI, "skip_parked", parked_id=name, reason="r") == "parked.unknown"


async def test_a_parked_timer_is_asked_again(router: InMemoryRouter) -> None:
    """The offer whose timer failed runs out when the timer is retried."""
    await router.on_duty("marek")
    await router.happens(form("?", topic="delivery"))
    await router.offers()
    offer, conversation = await router.offer(), await router.conversation()
    timer = Timer(
        tenant=TENANT,
        aggregate=aggregates.CONVERSATION.of(conversation.id or ""),
        kind=OFFER_EXPIRY.name,
        id=offer.offer_id,
        due=offer.expires,
    )
    subject, body = f"fired.0.{TENANT}.x", msgspec.json.encode(timer)
    router.streams.held["TIMERS", 5] = stored(subject, body, 5)
    await router.parking.park_timer(failed("router-fired", subject, body, 5))
    router.clock.time = offer.expires
    parked_id = (await router.last(events.WorkParked)).open.parked_id
    types = await router.does(CLI, "retry_parked", parked_id=parked_id)
    assert "contact.offer_expired" in types
    assert types[-1] == "work.retried"


async def test_work_of_another_service_is_parked_for_it(router: InMemoryRouter) -> None:
    """Its retry is recorded with its place, for that service to hear of; where it is gone the retry is refused."""
    body = b"the message"
    fields = {
        "consumer": "notify-ledger",
        "stream": "LEDGER",
        "sequence": 3,
        "sha256": ids.body_sha256(body),
        "error": "KeyError",
        "failures": 4,
    }
    assert await router.does("service:notify", "park_work", **fields) == ["work.parked"]
    parked_id = (await router.last(events.WorkParked)).open.parked_id
    assert await router.refused(CLI, "retry_parked", parked_id=parked_id) == "parked.gone"
    router.streams.held["LEDGER", 3] = stored("ledger.0.demo.x", body, 3)
    types = await router.does(CLI, "retry_parked", parked_id=parked_id)
    assert types == ["work.retried"]
    retried = await router.last(events.WorkRetried)
    assert (retried.open.stream, retried.open.sequence) == ("LEDGER", 3)


async def test_what_stands_at_the_same_place_of_another_stream_is_parked_beside(
    router: InMemoryRouter,
) -> None:
    """Also where a stream was made anew: each has an id of its own, and one is skipped without the other."""
    place = {"consumer": "notify-ledger", "sequence": 3, "error": "KeyError", "failures": 4}
    for stream, body in (("LEDGER", b"a"), ("TIMERS", b"a"), ("LEDGER", b"b")):
        router.streams.held[stream, 3] = stored("any", body, 3)
        sha256 = ids.body_sha256(body)
        await router.does("service:notify", "park_work", stream=stream, sha256=sha256, **place)
    first, *others = [each.open.parked_id for each in await router.all(events.WorkParked)]
    assert len({first, *others}) == 3
    await router.does(CLI, "skip_parked", parked_id=first, reason="r")
    for each in others:
        assert await router.does(CLI, "retry_parked", parked_id=each) == ["work.retried"]


async def test_a_report_of_an_unknown_type_is_parked_on_its_account(
    router: InMemoryRouter,
) -> None:
    """It waits for a version that knows the type, and nobody behind it does; what names no account is no report."""
    event = call("started")
    newer = msgspec.json.decode(encode(event)) | {"type": "call.dreamt_of"}
    body = msgspec.json.encode(newer)
    subject = f"contact.0.{TENANT}.x"
    await router.parking.park_contact(failed("router-contacts-0", subject, body, 88))
    parked = await router.last(events.ContactParked)
    assert (parked.aggregate, parked.open.event_type) == (ACCOUNT, "call.dreamt_of")
    for foreign in (b"{}", b'{"specversion":"1.0","type":"x.y","id":"a","tenant":"demo"}'):
        with pytest.raises(NotAnEvent):
            await router.parking.park_contact(failed("router-contacts-0", subject, foreign, 89))


# -- as a process ---------------------------------------------------------------------------------------


@pytest.fixture
async def poisoned(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    """A router that breaks at every contact with these words, as long as the file `poisoned` lies there."""
    opened = RunningRouter(tmp_path)
    opened.module = "tests.router.poisoned_router"
    await opened.open()
    opened.environment["POISONED"] = str(tmp_path / "poisoned")
    (tmp_path / "poisoned").touch()
    yield opened
    await opened.close()


async def test_a_poisoned_contact_blocks_nobody_and_is_decided_when_it_can_be(
    poisoned: RunningRouter,
) -> None:
    """The next contact of its partition goes on; mended, the router decides it at an operator's command."""
    await poisoned.start_router()
    now = datetime.now(UTC)
    broken = message("poison", "C1", at=now, handles=[phone("+48111")])
    later = message("more", "C1", at=now, handles=[phone("+48111")], k=1)
    await poisoned.happens(broken, later)
    await poisoned.until_recorded(later)
    (parked,) = poisoned.events("contact.parked")
    assert not poisoned.holds(broken)
    Path(poisoned.environment["POISONED"]).unlink()
    await poisoned.does(CLI, "retry_parked", parked_id=parked.open.parked_id)
    await poisoned.until_recorded(broken, later)
    (one,), (other,) = poisoned.holds(broken), poisoned.holds(later)
    assert one.aggregate == other.aggregate


async def test_a_tenant_who_leaves_while_a_contact_is_decided_is_unknown() -> None:
    """Not a failure that nobody foresaw: what is set aside for that is handled when she is back."""

    def leaves(_: str) -> int:
        router.cases.policies.take([])
        return 0

    router = InMemoryRouter(lack=leaves)
    with pytest.raises(TenantUnknown):
        await router.intake.take(call("started"))


async def test_what_comes_for_a_tenant_who_left_is_set_aside_until_she_is_back(
    router: InMemoryRouter,
) -> None:
    """Nobody decides it meanwhile, and neither it nor another service's work keeps the others' waiting."""
    policies, event = router.cases.policies, call("started", handles=[phone("+48111")])
    policies.take([])
    with pytest.raises(TenantUnknown):
        await router.intake.take(event)
    parked_id = await parks(router, event)
    work = {"consumer": "notify-lane-3", "stream": "LEDGER", "sequence": 7, "sha256": "0" * 64}
    told = {"error": TenantUnknown.code, "failures": 1}
    assert await router.does("service:notify", "park_work", **work, **told) == ["work.parked"]
    assert await router.refused(CLI, "retry_parked", parked_id=parked_id) == "tenant.unknown"
    policies.take([router.policy])
    types = await router.does(CLI, "retry_parked", parked_id=parked_id)
    assert "conversation.opened" in types


async def test_another_tenants_entry_cannot_be_rejected(router: InMemoryRouter) -> None:
    """Whoever knows its place and hash may be anybody."""
    body = b"no event of ours"
    router.streams.held["LEDGER", 9] = stored("ledger.1.other.conv.x", body, 9)
    asked = {"sequence": 9, "sha256": ids.body_sha256(body), "reason": "in the way"}
    other = replace(router.policy, tenant="other")
    router.cases.policies.take([router.policy, other])
    assert await router.refused(CLI, "reject_entry", **asked) == "entry.unknown"
