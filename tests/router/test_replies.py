"""What a mail says it answers: whoever proves it goes on there, and nobody by an id that can be computed."""

from email.parser import BytesParser
from typing import Any

import pytest
from msgspec.structs import replace

from services.notify.channels import email as sending
from services.notify.domain.messages import SendingSettings, customer_message
from shared import ids, mail_reference
from shared.events import ConversationId, InboundEvent, MessageId, MessageRequested
from shared.mail_reference import ReplyKeys
from shared.message_reference import MessageReference
from shared.policy import Account, Policy
from tests.ingest.running_ingest import parsed, raw
from tests.router.in_memory_router import SECRETS, InMemoryRouter
from tests.router.samples import TENANT, a_policy, mail, message

ANNA, EVE = mail("anna@x.example"), mail("eve@y.example")
MESSAGE = MessageId(ids.scoped_id("a message"))
TODAY, YESTERDAY, FOREIGN = (
    ReplyKeys((key.encode(),))
    for key in (SECRETS["REPLY_KEY"], SECRETS["REPLY_KEY_BEFORE"], "another key")
)
UNMARKED = ReplyKeys()


def keyed(**told: Any) -> Policy:
    return replace(a_policy(), reply_secrets=("REPLY_KEY", "REPLY_KEY_BEFORE"), **told)


def answers(it: ConversationId, keys: ReplyKeys, who: Any, name: str = "r1") -> InboundEvent:
    """A mail that names a message of a conversation, with the mark that these keys make."""
    ours = MessageReference(MESSAGE, it)
    named = mail_reference.write(ours, "shop.example", keys.mark(ours))
    event = message("And me?", name, channel="email", handles=[who], in_reply_to=it)
    assert event.personal is not None
    personal = replace(event.personal, references=["<other@z.example>", named])
    return replace(event, data=replace(event.data, personal=personal))


async def hers(router: InMemoryRouter) -> ConversationId:
    """Anna's conversation, whose id whoever was sent a copy of her mail can compute."""
    first = message("Where is it?", "m1", channel="email", handles=[ANNA])
    await router.happens(first)
    it = (await router.conversation()).id
    assert it == ids.scoped_id(TENANT, first.id, "conversation"), "made of her mail alone"
    return it


async def contacts(router: InMemoryRouter) -> list[int]:
    return [len(each.contacts.by_id) for each in await router.conversations()]


async def test_an_id_that_was_computed_leads_a_stranger_nowhere() -> None:
    """What he writes is a matter of his own: she is not answered under his address, nor he told what is hers."""
    router = InMemoryRouter(keyed())
    it = await hers(router)
    await router.happens(answers(it, UNMARKED, EVE))
    assert await contacts(router) == [1, 1]


@pytest.mark.parametrize("keys", [TODAY, YESTERDAY])
async def test_whoever_has_a_mail_of_ours_goes_on_there(keys: ReplyKeys) -> None:
    """Her colleague to whom she passed it on, too: by the key of today, and by the one before it."""
    router = InMemoryRouter(keyed())
    await router.happens(answers(await hers(router), keys, EVE))
    assert await contacts(router) == [2]


async def test_another_tenants_mark_and_another_messages_prove_nothing() -> None:
    """A mark is of one message of one conversation, by a key of this tenant."""
    router = InMemoryRouter(keyed())
    it = await hers(router)
    await router.happens(answers(it, FOREIGN, EVE, "r1"))
    other = TODAY.mark(MessageReference(MessageId(ids.scoped_id("another")), it))
    assert other is not None
    taken = answers(it, UNMARKED, EVE, "r2")
    assert taken.personal is not None
    named = f"<msg-{MESSAGE}.{it}.{other}@shop.example>"
    personal = replace(taken.personal, references=[named])
    await router.happens(replace(taken, data=replace(taken.data, personal=personal)))
    assert (await contacts(router))[0] == 1


async def test_a_mail_of_before_leads_her_who_wrote_it() -> None:
    """Until the policy ends it: what left before there was a key was to her, and she answers it."""
    claimed = mail("anna@x.example", proof="claimed")
    for ended, expected in ((False, [2]), (True, [1, 1])):
        router = InMemoryRouter(keyed(unmarked_replies=not ended))
        await router.happens(message("Where?", "m1", channel="email", handles=[claimed]))
        it = (await router.conversation()).id
        assert it is not None
        await router.happens(answers(it, UNMARKED, claimed))
        assert await contacts(router) == expected


@pytest.mark.parametrize(("ended", "expected"), [(False, [2]), (True, [1, 1])])
async def test_a_mail_of_before_leads_whom_she_passed_it_on_to(
    ended: bool, expected: list[int]
) -> None:
    """Until the policy ends it: it names a message that was sent from there, whose id its receivers alone know."""
    router = InMemoryRouter(keyed(unmarked_replies=not ended))
    await router.owned_by("piotr", message("Where is it?", "m1", channel="email", handles=[ANNA]))
    it = (await router.conversation()).id
    assert it is not None
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Here")
    sent = (await router.last(MessageRequested)).open.message_id
    answer = answers(it, UNMARKED, EVE)
    assert answer.personal is not None
    named = mail_reference.write(MessageReference(sent, it), "shop.example")
    personal = replace(answer.personal, references=[named])
    await router.happens(replace(answer, data=replace(answer.data, personal=personal)))
    assert await contacts(router) == expected


async def test_a_tenant_without_keys_believes_as_before() -> None:
    """Nobody could tell; the how-to says what that means."""
    router = InMemoryRouter(a_policy())
    await router.happens(answers(await hers(router), UNMARKED, EVE))
    assert await contacts(router) == [2]


async def test_the_answer_to_a_mail_that_was_sent_is_believed() -> None:
    """From what leaves by notify, through a stranger's mail program, to what ingest reads: nothing of it is lost."""
    router = InMemoryRouter(keyed())
    await router.owned_by("piotr", message("Where is it?", "m1", channel="email", handles=[ANNA]))
    it = (await router.conversation()).id
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Here")
    around = SendingSettings(reply_keys={TENANT: TODAY})
    account = Account(queue="hotline", address="help@shop.example")
    request = await router.last(MessageRequested)
    asked = customer_message(request, account, sending.address, around)
    sent = BytesParser().parsebytes(sending.render(asked, request.recorded).content)
    head = f"From: eve@y.example\r\nMessage-ID: <e1@y.example>\r\nIn-Reply-To: {sent['Message-ID']}"
    (event,) = parsed(raw("email", f"{head}\r\n\r\nIt is here.".encode()))
    named = sent["Message-ID"].strip("<>")
    assert (event.open.in_reply_to, event.personal.references) == (it, [named])
    await router.happens(event)
    assert await contacts(router) == [2]


async def test_what_a_provider_says_needs_no_mark() -> None:
    """Its signature stands for the whole of what it delivers."""
    router = InMemoryRouter(keyed())
    it = await hers(router)
    await router.happens(message("Here", "v1", channel="chat", handles=[EVE], in_reply_to=it))
    assert await contacts(router) == [2]
