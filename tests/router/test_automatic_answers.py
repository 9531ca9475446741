"""Who waits behind a backlog is told so, honestly and once, and still waits for a person."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared import handles, policy
from shared.errors import PolicyInvalid
from shared.events import ConsentWithdrawn, MessageFailed, MessageRequested
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import ACCOUNTS, consents, hands_over, writes
from tests.router.proved import packet_of
from tests.router.samples import ANNA_MAIL, NOON, POLICY_TEXT, call, form, mail, message

ANSWER = b"""
overload:
  answer:
    after_seconds: 300
    by: email/shop
    texts:
      en: We have your message. Many write today; a person answers by tomorrow at noon.
      pl: "Mamy Twoja wiadomosc. Dzis pisze wielu; odpowiemy do jutra w poludnie."
"""
TEXT = POLICY_TEXT.replace(b"patterns:\n", ACCOUNTS) + ANSWER
WAITED_SECONDS = 301


@pytest.fixture
def router() -> InMemoryRouter:
    return a_router()


def a_router(text: bytes = TEXT, waited_seconds: float = WAITED_SECONDS) -> InMemoryRouter:
    """A router that decides what came at NOON so much later."""
    made = InMemoryRouter(policy.parse(text))
    made.clock.time = NOON + timedelta(seconds=waited_seconds)
    return made


def by_mail(text: str = "Where is it?", name: str = "m1", **told: Any) -> Any:
    return message(text, name, channel="email", **told)


async def told(router: InMemoryRouter) -> list[MessageRequested]:
    return await router.all(MessageRequested)


async def test_who_waited_is_told_where_she_wrote_from(router: InMemoryRouter) -> None:
    """By the account that she wrote to, in answer to her mail, in the first language of the policy, by no agent."""
    assert "message.requested" in await router.happens(by_mail())
    (answer,) = await told(router)
    assert (answer.open.channel, answer.open.account, answer.open.agent) == ("email", "shop", None)
    assert answer.open.deliver_by is None
    assert answer.personal is not None
    assert (answer.personal.to, answer.personal.title) == (ANNA_MAIL, "Your request")
    assert answer.personal.text.startswith("We have your message.")
    conversation = await router.conversation()
    assert answer.personal.in_reply_to == conversation.contacts.latest.reference  # type: ignore[union-attr]
    assert answer.conversation == conversation.id


async def test_it_answers_nothing(router: InMemoryRouter) -> None:
    """She waits in her queue as before, her message is unanswered, and whoever takes it sees what she was told."""
    plain = a_router(TEXT.replace(ANSWER, b""))
    for each in (router, plain):
        await each.happens(by_mail())
    with_it, without = await router.conversation(), await plain.conversation()
    assert with_it.ownership == without.ownership
    assert with_it.talk.unanswered == without.talk.unanswered == 1
    packet = await packet_of(router, with_it)
    assert packet.open.unanswered == 1
    assert [each.by for each in packet.said] == ["customer", "automatic"]
    await router.on_duty("piotr")
    assert "contact.offered" in await router.offers()


async def test_once_in_a_conversation(router: InMemoryRouter) -> None:
    """However often she writes, by whatever channel, also when it could not be delivered."""
    await router.happens(by_mail(), by_mail("And?", "m2"), by_mail("Hello?", "m3"))
    (answer,) = await told(router)
    await router.happens(hands_over(answer, None, MessageFailed))
    await router.happens(by_mail("Anybody?", "m4"))
    assert len(await told(router)) == 1


@pytest.mark.parametrize(("seconds", "count"), [(300, 0), (301, 1), (86_399, 1), (86_400, 0)])
async def test_only_who_waited_and_not_who_is_read_again(seconds: int, count: int) -> None:
    """In time there is nothing to say; a day late it may be an old delivery that is read again."""
    router = a_router(waited_seconds=seconds)
    await router.happens(by_mail())
    assert len(await told(router)) == count


def _imported(event: Any) -> Any:
    return replace(event, actor="import:email/shop")


@pytest.mark.parametrize(
    "event",
    [
        by_mail(automatic=True),
        by_mail(handles=[mail(proof="claimed")]),
        by_mail(handles=[mail("no-reply@shop.example")]),
        by_mail(handles=[]),
        _imported(by_mail()),
        form("Where is it?"),
        form("Where is it?", handles=[mail(proof="claimed")]),
        message("hello"),
        call("started"),
        call("voicemail"),
    ],
    ids=[
        "machine",
        "forged",
        "never",
        "nobody",
        "imported",
        "form",
        "claimed",
        "chat",
        "call",
        "voicemail",
    ],
)
async def test_nobody_else_is_told(router: InMemoryRouter, event: Any) -> None:
    """No machine, lest two answer each other; nobody whose address anybody may have typed; nobody who calls."""
    await router.happens(event)
    assert await told(router) == []


async def test_what_she_writes_to_its_owner_is_the_owners(router: InMemoryRouter) -> None:
    """A person has it."""
    router.clock.time = NOON
    await router.owned_by("piotr", by_mail())
    router.clock.time += timedelta(seconds=WAITED_SECONDS)
    await router.happens(by_mail("And?", "m2"))
    assert await told(router) == []


async def test_who_wants_no_messages_gets_none(router: InMemoryRouter) -> None:
    """She has withdrawn her consent to be written to on this channel, and on this one alone."""
    router.clock.time = NOON
    await router.happens(writes("hello"), consents(ConsentWithdrawn))
    router.clock.time += timedelta(seconds=WAITED_SECONDS)
    await router.happens(writes("hello?", "in-2"))
    assert await told(router) == []


async def test_messages_are_answered_by_their_own_account(router: InMemoryRouter) -> None:
    """On the messenger, to the account id that the provider vouches for."""
    await router.happens(writes("hello"))
    (answer,) = await told(router)
    assert answer.personal is not None
    assert (answer.open.channel, answer.open.account) == ("dove", "cote")
    assert answer.personal.to == handles.account("dove", "7").value


async def test_a_form_is_answered_by_mail_where_the_policy_believes_it(
    router: InMemoryRouter,
) -> None:
    """No account of forms can write: `by` does."""
    believing = TEXT + b"    media: [form]\nproof: {form: delivered}\n"
    router = a_router(believing)
    await router.happens(form("Where is it?", handles=[mail(proof="claimed")]))
    (answer,) = await told(router)
    assert answer.personal is not None
    assert (answer.open.channel, answer.open.account, answer.personal.to) == (
        "email",
        "shop",
        ANNA_MAIL,
    )


@pytest.mark.parametrize(
    ("language", "begins"),
    [("pl", "Mamy"), ("pl-PL", "Mamy"), ("de", "We have"), (None, "We have")],
)
async def test_it_is_said_in_her_language(
    router: InMemoryRouter, language: str | None, begins: str
) -> None:
    """Where the shop knows it and has words for it; else in the first of the policy."""
    said = {} if language is None else {"language": language}
    known = [{"kind": "email", "value": ANNA_MAIL, "verified": True}]
    await router.does("service:shop", "register_customer", name="Anna", handles=known, **said)
    await router.happens(by_mail())
    (answer,) = await told(router)
    assert answer.personal is not None
    assert answer.personal.text.startswith(begins)


async def test_a_persons_answer_counts_after_it(router: InMemoryRouter) -> None:
    """It stands beside the automatic one, and nothing is unanswered any more."""
    await router.owned_by("piotr", by_mail())
    it = await router.conversation()
    assert it.talk.unanswered == 1
    await router.does("piotr", "send_message", conversation=it.id, channel="email", text="Here")
    it = await router.conversation()
    assert it.talk.unanswered == 0
    assert [each.by for each in it.talk.said] == ["customer", "automatic", "agent-piotr"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"texts: {}", "texts"),
        (b"texts: {en: ''}", "en"),
        (b"texts: {english: hello}", "texts"),
        (b"texts: {en: hello}, by: form/contact", "no account of e-mail"),
        (b"texts: {en: hello}, by: email/nowhere", "no account of e-mail"),
    ],
)
def test_an_answer_that_cannot_be_given_is_refused(said: bytes, why: str) -> None:
    """At start, not when a thousand wait."""
    with pytest.raises(PolicyInvalid, match=why):
        policy.parse(POLICY_TEXT + b"overload: {answer: {" + said + b"}}\n")
