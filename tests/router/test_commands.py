"""What every command has in common: read, remembered, refused."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.errors import EventTypeUnknown, TellonceError, TenantUnknown
from shared.events import AgentSignedIn, CustomerCreated, IdentityClaimed
from shared.memory import FORGET_EVERY
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, TENANT, call, mail, message


async def code_of(router: InMemoryRouter, verb: str, body: bytes, tenant: str = TENANT) -> str:
    with pytest.raises(TellonceError) as refusal:
        await router.commands.handle(verb, tenant, body)
    return refusal.value.code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"command_id":"c","issued_at":"2026-11-22T12:00:00","actor":"agent:piotr"}',
        b'{"command_id":"c","issued_at":"2026-11-22T12:00:00Z","actor":"piotr"}',
        b'{"command_id":"c","issued_at":"2026-11-22T12:00:00Z","actor":"agent:piotr\\n"}',
        b'{"command_id":"c d","issued_at":"2026-11-22T12:00:00Z","actor":"agent:piotr"}',
        b'{"command_id":"c","issued_at":"2026-11-22T12:00:00Z","actor":"agent:piotr","more":1}',
        b'{"more":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b" " * 200_000,
    ],
)
async def test_what_is_no_command_is_unreadable(router: InMemoryRouter, body: bytes) -> None:
    """Garbage, a time without zone, an actor that is none, an unknown field, too large a body."""
    assert await code_of(router, "sign_in", body) == "command.unreadable"


async def test_an_unknown_verb_or_tenant_is_refused(router: InMemoryRouter) -> None:
    """With codes of their own."""
    body = router.body("piotr", "sign_in")
    assert await code_of(router, "fly", body) == "command.unknown"
    with pytest.raises(TenantUnknown):
        await router.commands.handle("sign_in", "nobody", body)


@pytest.mark.parametrize(
    ("ago", "code"),
    [
        (timedelta(hours=24, seconds=1), "command.too_old"),
        (timedelta(hours=24), None),
        (-timedelta(minutes=2), None),
        (-timedelta(minutes=2, seconds=1), "command.too_new"),
    ],
)
async def test_a_command_is_taken_while_its_id_is_remembered(
    router: InMemoryRouter, ago: timedelta, code: str | None
) -> None:
    """Up to 24 hours old, and up to two minutes ahead of our clock."""
    issued = NOON - ago
    if code is None:
        assert await router.does("piotr", "sign_in", issued_at=issued) == ["agent.signed_in"]
    else:
        assert await router.refused("piotr", "sign_in", issued_at=issued) == code


async def test_an_id_used_again_for_something_else_is_refused(router: InMemoryRouter) -> None:
    """The same id with another body is a mistake of the caller, not a repetition."""
    it = await router.owned_by("piotr", message("hello"))
    fields: dict[str, Any] = {"conversation": it, "fact": "wish", "id": "c-same"}
    await router.does("piotr", "record_fact", value="a refund", **fields)
    code = await router.refused("piotr", "record_fact", value="a call", **fields)
    assert code == "command.id_reused"


async def test_a_repeated_command_gets_the_reply_of_the_first_time(router: InMemoryRouter) -> None:
    """Even when what it asked for is no longer possible."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    fields = {"conversation": it.id, "offer_id": offer.offer_id, "id": "accept"}
    body = router.body("piotr", "accept_offer", **fields)
    first = await router.commands.handle("accept_offer", TENANT, body)
    await router.happens(call("answered"), call("ended"))
    await router.does("piotr", "wrap_up", conversation=it.id, disposition="x", summary="x")
    await router.does("piotr", "resolve", conversation=it.id)
    assert await router.commands.handle("accept_offer", TENANT, body) == first
    assert [event.type for event in first.events] == ["contact.accepted"]
    assert first.position == first.events[-1].sequence


async def test_a_refused_command_is_refused_although_it_is_possible_by_now(
    router: InMemoryRouter,
) -> None:
    """Whoever got no answer may ask again at any time, and learns what became of the first time."""
    it = await router.owned_by("piotr", message("hello"))
    body = router.body("piotr", "resolve", conversation=it)
    first = await code_of(router, "resolve", body)
    assert first == "conversation.not_wrapped_up"
    await router.does("piotr", "wrap_up", conversation=it, disposition="x", summary="x")
    router.restart()
    assert await code_of(router, "resolve", body) == first
    assert not (await router.conversation()).resolved
    assert await router.does("piotr", "resolve", conversation=it)


@pytest.mark.parametrize("actor", ["nobody_knows_her", "service:shop"])
async def test_a_refusal_needs_no_aggregate(router: InMemoryRouter, actor: str) -> None:
    """Nobody of the policy, a conversation that is none, a time to come: each is refused twice alike."""
    assert await router.refused(actor, "sign_in") in {"agent.unknown", "command.forbidden"}
    code = await router.refused("piotr", "resolve", conversation="none")
    assert code == "conversation.unknown"
    ahead = NOON + timedelta(minutes=3)
    body = router.body("piotr", "sign_in", issued_at=ahead)
    assert await code_of(router, "sign_in", body) == "command.too_new"
    router.clock.time += timedelta(minutes=5)
    assert await code_of(router, "sign_in", body) == "command.too_new"


async def test_the_reply_of_a_command_is_remembered_for_a_day_from_its_answer(
    router: InMemoryRouter,
) -> None:
    """Issued long before it came; what is remembered is told before its age is asked."""
    issued = router.clock.time - timedelta(hours=23)
    body = router.body("piotr", "sign_in", issued_at=issued)
    first = await router.commands.handle("sign_in", TENANT, body)
    router.clock.time += timedelta(hours=23)
    router.restart()
    assert await router.commands.handle("sign_in", TENANT, body) == first


async def test_a_command_that_changed_nothing_is_remembered_too(router: InMemoryRouter) -> None:
    """She was at work already; the same command, delivered again after she left, does not bring her back."""
    await router.on_duty("piotr")
    body = router.body("piotr", "sign_in")
    first = await router.commands.handle("sign_in", TENANT, body)
    assert [each.type for each in first.events] == ["command.noted"]
    await router.does("piotr", "set_status", status="signed_out")
    assert await router.commands.handle("sign_in", TENANT, body) == first
    assert (await router.agent("piotr")).status == "signed_out"


async def test_one_command_id_for_two_conversations_is_two_decisions(
    router: InMemoryRouter,
) -> None:
    """Both release a slot of the same agent: two events, two ids."""
    await router.on_duty("ewa")
    for name in ("a", "b"):
        await router.happens(message(name, name, handles=[mail(f"{name}@customer.example")]))
    await router.offers()
    for it in await router.conversations():
        assert it.ownership.offer is not None
        await router.does(
            "ewa",
            "accept_offer",
            conversation=it.id,
            offer_id=it.ownership.offer.offer_id,
            id="take",
        )
        await router.does(
            "ewa", "wrap_up", conversation=it.id, disposition="x", summary="x", id="wrap"
        )
        await router.does("ewa", "resolve", conversation=it.id, id="end")
    assert (await router.agent("ewa")).working_on == frozenset()


async def test_an_id_used_again_after_it_was_forgotten_gives_other_ids(
    router: InMemoryRouter,
) -> None:
    """A day later nobody remembers it: what it writes then is another event."""
    it = await router.owned_by("piotr", message("hi"))
    wish = {"conversation": it, "fact": "wish"}
    await router.does("piotr", "record_fact", **wish, value="a", id="again")
    router.clock.time += timedelta(hours=25)
    router.ledger.forget_ids()
    for number in range(2 * FORGET_EVERY):
        await router.does("piotr", "record_fact", **wish, value=f"w{number}")
    await router.does("piotr", "record_fact", **wish, value="b", id="again")
    ids = [each.event.id for each in await router.recorded()]
    assert len(ids) == len(set(ids))


async def test_a_reply_tells_no_personal_data(router: InMemoryRouter) -> None:
    """Only open parts: the value of a fact is not in it."""
    it = await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "record_fact", conversation=it, fact="wish", value="a secret wish")
    assert b"secret" not in msgspec.json.encode(router.done)


@pytest.mark.parametrize("conversation", ["c" * 32, "", "no token", "../etc", "X", "c" * 128])
async def test_a_conversation_that_is_not_there_is_unknown(
    router: InMemoryRouter, conversation: str
) -> None:
    """Also when its id cannot be one."""
    code = await router.refused("piotr", "resolve", conversation=conversation)
    assert code == "conversation.unknown"


@pytest.mark.parametrize("name", ["*", "..", "agent:ewa", "a b", ">"])
async def test_who_cannot_be_an_agent_is_unknown(router: InMemoryRouter, name: str) -> None:
    """Whatever stands there, it is a refusal with a code."""
    conversation = await router.owned_by("ewa", call("started"))
    given = {"conversation": conversation, "to": name, "reason": "she knows"}
    assert await router.refused("piotr", "assign", **given) == "agent.unknown"


async def test_agents_are_named_by_the_policy(router: InMemoryRouter) -> None:
    """A stranger is unknown, a service is no agent."""
    assert await router.refused("zoe", "sign_in") == "agent.unknown"
    assert await router.refused("service:shop", "sign_in") == "command.forbidden"


@pytest.mark.parametrize("seen", [{"offer_id": "o0"}, {"transfer_id": "t0"}, {"packet_id": "p0"}])
async def test_a_command_that_saw_something_else_is_stale(
    router: InMemoryRouter, seen: dict[str, str]
) -> None:
    """Whoever decides on what no longer stands is told so, and nothing happens."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    fields = {"conversation": it.id, "offer_id": offer.offer_id}
    assert await router.refused("piotr", "accept_offer", expected=seen, **fields) == "command.stale"
    assert await router.refused("piotr", "reject_offer", expected=seen, **fields) == "command.stale"
    right = {"offer_id": offer.offer_id, "packet_id": offer.packet_id}
    types = await router.does("piotr", "accept_offer", expected=right, **fields)
    assert types == ["contact.accepted"]


async def test_the_packet_seen_is_the_one_that_was_offered(router: InMemoryRouter) -> None:
    """A fact that came later is no reason to refuse: the acceptance carries a fresh packet."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    await router.happens(call("menu", digits="2"))
    types = await router.does(
        "piotr",
        "accept_offer",
        conversation=it.id,
        offer_id=offer.offer_id,
        expected={"packet_id": offer.packet_id},
    )
    assert types == ["context.packaged", "contact.accepted"]


# -- people ---------------------------------------------------------------------------------------------


async def test_an_agent_signs_in_once(router: InMemoryRouter) -> None:
    """Already available: nothing changes; from a pause she comes back."""
    assert await router.does("piotr", "sign_in") == ["agent.signed_in"]
    assert await router.does("piotr", "sign_in") == []
    assert await router.does("piotr", "set_status", status="away") == ["agent.status_set"]
    assert await router.does("piotr", "set_status", status="away") == []
    assert await router.does("piotr", "sign_in") == ["agent.signed_in"]
    assert len(await router.all(AgentSignedIn)) == 2


async def test_a_status_needs_a_sign_in(router: InMemoryRouter) -> None:
    """An agent who is not at work is neither away nor available; signing out is true already."""
    assert await router.refused("piotr", "set_status", status="away") == "agent.signed_out"
    assert await router.does("piotr", "set_status", status="signed_out") == []


async def test_an_agent_away_is_not_asked(router: InMemoryRouter) -> None:
    """She keeps what she has and gets nothing new."""
    await router.on_duty("piotr")
    await router.does("piotr", "set_status", status="away")
    await router.happens(call("started"))
    assert await router.offers() == []


@pytest.mark.parametrize("number", ["+48 600-100-200", "0048600100200", "600 100 200"])
async def test_a_registered_customer_is_recognised(router: InMemoryRouter, number: str) -> None:
    """By each of her handles, however the shop wrote it; her name and orders go with the packet."""
    await router.does(
        "service:shop",
        "register_customer",
        name="Anna Nowak",
        language="pl",
        handles=[{"kind": "phone", "value": number}],
        orders=[{"number": "ORD-1234", "status": "shipped"}],
    )
    await router.happens(call("started"))
    customer = await router.customer()
    assert (customer.name, customer.provisional, list(customer.orders)) == (
        "Anna Nowak",
        False,
        ["ORD-1234"],
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "A\0"},
        {"name": "A", "salutation": "\0"},
        {"name": "A", "external_id": "\0"},
        {"name": "A", "handles": [{"kind": "visitor", "value": "a\0"}]},
        {"name": "A", "orders": [{"number": "\0", "status": "open"}]},
        {"name": "A", "orders": [{"number": "1", "status": "open", "description": "\0"}]},
    ],
)
async def test_a_registration_holds_no_nul(router: InMemoryRouter, fields: dict[str, Any]) -> None:
    """In none of its texts."""
    assert await router.refused("service:shop", "register_customer", **fields) == "text.has_nul"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("phone", "call me"),
        ("phone", "tel 1"),
        ("phone", " "),
        ("email", "a\0@x"),
        ("email", "anna"),
    ],
)
async def test_a_handle_that_is_none_is_refused(
    router: InMemoryRouter, kind: str, value: str
) -> None:
    """A number without digits would be everybody's."""
    handles = [{"kind": kind, "value": value}]
    code = await router.refused("service:shop", "register_customer", name="A", handles=handles)
    assert code == "handle.invalid"
    assert await router.all(CustomerCreated) == []


async def test_a_handle_that_is_written_twice_is_one(router: InMemoryRouter) -> None:
    """It is claimed once, and verified when one of the two is."""
    handles = [
        {"kind": "email", "value": "lena@straße.example"},
        {"kind": "email", "value": "mailto:Lena@xn--strae-oqa.example", "verified": True},
    ]
    await router.does("service:shop", "register_customer", name="Lena", handles=handles)
    (created,) = await router.all(CustomerCreated)
    assert created.personal is not None
    assert created.personal.handles == [("email", "lena@xn--strae-oqa.example", "proved")]
    assert len(await router.all(IdentityClaimed)) == 1


# -- events of a newer version --------------------------------------------------------------------------


async def test_an_event_of_a_newer_version_stops_its_conversation_only(
    router: InMemoryRouter,
) -> None:
    """Commands there answer `event.unknown_type`; the dispatcher goes on with the others."""
    await router.on_duty("piotr")
    await router.happens(call("started", "CA1", handles=[]))
    (poisoned,) = await router.conversations()
    await router.newer_event(poisoned)
    await router.happens(call("started", "CA2", handles=[]))
    assert await router.offers() == ["context.packaged", "contact.offered", "agent.reserved"]
    body = router.body("piotr", "resolve", conversation=poisoned.id)
    with pytest.raises(EventTypeUnknown) as refusal:
        await router.commands.handle("resolve", TENANT, body)
    assert refusal.value.details == {"type": "conversation.dreamt_of"}
    assert refusal.value.retryable
