"""An answer that nobody says has reached her page goes by mail as well: once, to where she said, and said once."""

from datetime import timedelta
from typing import Any

import pytest

from shared import events, handles, policy
from shared.errors import PolicyInvalid
from shared.events import MessageDelivered, MessageFailed, MessageRead, MessageRequested, Proof
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import ACCOUNTS, answers, made, of, reports
from tests.router.proved import registered
from tests.router.samples import ANNA_MAIL, NOON, POLICY_TEXT, enveloped, mail, message

AWAY = ACCOUNTS.replace(
    b"address: tower, reaches: account",
    b"address: tower, reaches: account, when_away: {by: email/shop, after_seconds: 120}",
)
TEXT = POLICY_TEXT.replace(b"patterns:\n", AWAY)
CHAT, MAIL = "dove", "email"


@pytest.fixture
def router() -> InMemoryRouter:
    return InMemoryRouter(policy.parse(TEXT))


def visitor(
    text: str = "hello",
    name: str = "in-1",
    who: str = "7",
    proof: Proof = "claimed",
    address: str | None = "anna@home.example",
) -> Any:
    """Somebody writes on a page that nobody vouches for; she may have said where she reads mail."""
    known = of(who, CHAT)
    if address:
        known.append(handles.of("email", address, proof))
    personal = events.MessageReceivedPersonal(handles=known, text=text)
    return made(events.MessageReceived, events.MessageReceivedOpen, personal, name, who=who)


async def asked_for(router: InMemoryRouter) -> list[MessageRequested]:
    return await router.all(MessageRequested)


async def test_an_answer_that_did_not_arrive_goes_by_mail_once(router: InMemoryRouter) -> None:
    """From the account of mail, in the name of who wrote it, to what she claimed."""
    await router.owned_by("piotr", visitor())
    first = await answers(router, "Two pairs are left")
    assert first.open.deliver_by == router.clock.time + timedelta(seconds=120)
    assert await router.passes(119) == []
    assert await router.passes(1) == ["message.requested"]
    _, again = await asked_for(router)
    assert (again.open.channel, again.open.account, again.open.agent) == (MAIL, "shop", "piotr")
    assert again.open.instead_of == [first.open.message_id]
    assert again.open.deliver_by is None
    assert again.personal is not None
    assert (again.personal.to, again.personal.text) == ("anna@home.example", "Two pairs are left")
    assert again.personal.title == "Your request"
    assert await router.passes(86_400) == []


@pytest.mark.parametrize("kind", [MessageDelivered, MessageRead])
async def test_what_arrived_in_time_goes_no_other_way(router: InMemoryRouter, kind: Any) -> None:
    """Her page says so, before the time is up."""
    await router.owned_by("piotr", visitor())
    sent = await answers(router)
    told = {"message_id": sent.open.message_id, "conversation": sent.conversation}
    await router.happens(reports(kind, "r-1", **told))
    assert await router.passes(600) == []


async def test_what_the_page_could_not_take_goes_by_mail(router: InMemoryRouter) -> None:
    """That the first way failed is no reason against the other one."""
    await router.owned_by("piotr", visitor())
    sent = await answers(router)
    told = {"message_id": sent.open.message_id, "conversation": sent.conversation}
    await router.happens(reports(MessageFailed, "r-1", **told))
    assert await router.passes(120) == ["message.requested"]


async def test_one_mail_brings_all_that_waits(router: InMemoryRouter) -> None:
    """What was said within the time is one mail, in order; what is said after it is another one."""
    await router.owned_by("piotr", visitor())
    one = await answers(router, "Two pairs are left")
    await router.passes(60)
    two = await answers(router, "Shall I put one aside?")
    assert await router.passes(60) == ["message.requested"]
    mailed = (await asked_for(router))[-1]
    assert mailed.open.instead_of == [one.open.message_id, two.open.message_id]
    assert mailed.personal is not None
    assert mailed.personal.text == "Two pairs are left\n\nShall I put one aside?"
    three = await answers(router, "Until Friday")
    assert await router.passes(120) == ["message.requested"]
    assert (await asked_for(router))[-1].open.instead_of == [three.open.message_id]


async def test_long_answers_go_in_several_mails(router: InMemoryRouter) -> None:
    """One event holds no more."""
    await router.owned_by("piotr", visitor())
    for _ in range(5):
        await answers(router, "a" * 32_000)
    assert await router.passes(120) == ["message.requested", "message.requested"]
    assert [len(each.open.instead_of) for each in await asked_for(router)][5:] == [4, 1]


async def test_it_is_one_thing_said(router: InMemoryRouter) -> None:
    """The packet has the answer once; what she wrote since still has none, and what the owner was told stays open."""
    await router.owned_by("piotr", visitor())
    await answers(router, "Two pairs are left")
    await router.happens(visitor("and in red?", "in-2"))
    await router.passes(120)
    talk = (await router.conversation()).talk
    words = [each.text for each in talk.said]
    assert sorted(words) == sorted(["hello", "Two pairs are left", "and in red?"])
    assert talk.unanswered == 1


async def test_without_an_address_nothing_is_to_be_done(router: InMemoryRouter) -> None:
    """She said none: there is no time, and no timer."""
    await router.owned_by("piotr", visitor(address=None))
    assert (await answers(router)).open.deliver_by is None
    assert await router.passes(600) == []


async def test_an_account_without_another_way_has_none(router: InMemoryRouter) -> None:
    """It is the policy's to say so."""
    router.policy = policy.parse(POLICY_TEXT.replace(b"patterns:\n", ACCOUNTS))
    router.restart()
    await router.owned_by("piotr", visitor())
    assert (await answers(router)).open.deliver_by is None


async def test_an_address_of_somebody_else_in_the_matter_is_not_hers(
    router: InMemoryRouter,
) -> None:
    """Only what was given on that page counts, although a mail in the same matter came last."""
    it = await router.owned_by("piotr", visitor(address=None))
    await answers(router)
    other = [mail("olek@home.example")]
    about_it = message("as for her chat", "m-2", channel=MAIL, handles=other, in_reply_to=it)
    await router.happens(about_it)
    await router.happens(visitor("me again", "in-2", address=None))
    assert len((await router.conversation()).contacts.by_id) == 2
    assert (await answers(router, "Yes")).open.deliver_by is None


async def test_the_answer_of_a_resolved_matter_is_mailed_too(router: InMemoryRouter) -> None:
    """He answers, closes the matter, and she had gone before."""
    it = await router.owned_by("piotr", visitor())
    await answers(router)
    done = {"disposition": "solved", "summary": "done"}
    await router.does("piotr", "wrap_up", conversation=it, **done)
    await router.does("piotr", "resolve", conversation=it)
    assert await router.passes(120) == ["message.requested"]
    assert (await router.conversation()).resolved


async def test_who_wants_no_mail_gets_none(router: InMemoryRouter) -> None:
    """Neither is one awaited, nor does one leave that was, when she withdrew meanwhile."""
    await router.owned_by("piotr", visitor(proof="proved"))
    await answers(router)
    about, known = enveloped(MAIL, "shop", "stop-1", "consent.withdrawn", NOON, 0)
    personal = events.ContactPersonal(handles=[mail("anna@home.example", "proved")])
    opened = events.ConsentOpen(**known, said="STOP")
    stop = events.ConsentWithdrawn(**about, data=events.Data(open=opened, personal=personal))
    await router.happens(stop)
    assert await router.passes(120) == []
    assert (await answers(router, "still there?")).open.deliver_by is None


async def test_her_mail_comes_back_into_the_same_matter(router: InMemoryRouter) -> None:
    """The address was claimed; as somebody whom we wrote to from here she has proved it by her reply."""
    it = await router.owned_by("piotr", visitor())
    await answers(router)
    await router.passes(120)
    hers = [mail("anna@home.example")]
    await router.happens(message("one thing more", "mail-1", channel=MAIL, handles=hers))
    assert [each.id for each in await router.conversations()] == [it]


async def goes_on_in_hers(router: InMemoryRouter) -> tuple[str, str]:
    """She chats with Piotr, who answers; she is known to be Anna, whose other matter Ewa has: it goes on there."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    await router.happens(visitor())
    await router.on_duty("piotr")
    asking = await router.taken("piotr")
    body = {"channel": CHAT, "text": "Two pairs are left"}
    await router.does("piotr", "send_message", conversation=asking, **body)
    await router.does("piotr", "set_status", status="away")
    await router.happens(message("my parcel", "m1", channel=MAIL, handles=[mail()]))
    await router.on_duty("ewa")
    hers = await router.taken("ewa")
    await router.does("piotr", "confirm_customer", conversation=asking, customer=anna)
    assert (await router.conversations())[0].into == hers
    return asking, hers


async def test_an_answer_is_mailed_from_where_its_matter_goes_on(router: InMemoryRouter) -> None:
    """So that her reply comes there; once, although two conversations know of it."""
    asking, hers = await goes_on_in_hers(router)
    (first,) = await asked_for(router)
    assert first.conversation == asking
    await router.passes(120)
    _, again = await asked_for(router)
    assert (again.conversation, again.open.instead_of) == (hers, [first.open.message_id])
    await router.passes(600)
    assert len(await asked_for(router)) == 2


async def test_that_it_arrived_is_known_where_its_matter_goes_on(router: InMemoryRouter) -> None:
    """Her page says so after the two became one."""
    asking, _ = await goes_on_in_hers(router)
    (first,) = await asked_for(router)
    told = {"message_id": first.open.message_id, "conversation": asking}
    await router.happens(reports(MessageDelivered, "r-1", **told))
    await router.passes(600)
    assert len(await asked_for(router)) == 1


def test_the_other_way_is_an_account_of_mail_with_an_address() -> None:
    """Anything else is refused when the policy is loaded."""
    for wrong in (b"email/nowhere", b"sms/shop", b"dove/cote"):
        with pytest.raises(PolicyInvalid):
            policy.parse(TEXT.replace(b"by: email/shop", b"by: " + wrong))
