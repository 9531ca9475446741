"""What the customer told: stated once, and noticed when she has to say it again."""

import pytest
from msgspec.structs import replace

from services.router.domain.facts import facts_in
from shared.events import ContactId, FactCorrected, FactRepeated, FactStated
from shared.packet import FACTS_PER_MESSAGE, TEXT_MAX_BYTES
from shared.policy import Pattern
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import OTHER_PARCEL, PARCEL, a_policy, call, form, mail, message, phone

ANNA = [phone(), mail()]


async def known(router: InMemoryRouter) -> list[tuple[str, str, str]]:
    """Return (name, value, origin) of the only conversation's facts."""
    facts = (await router.conversation()).matter.facts.values()
    return [(fact.name, fact.value, fact.origin) for fact in facts]


async def registered(router: InMemoryRouter) -> None:
    """Anna is known by phone and mail, so that her contacts meet in one conversation."""
    handles = [{"kind": each.kind, "value": each.value} for each in ANNA]
    await router.does("service:shop", "register_customer", name="Anna", handles=handles)


async def test_a_menu_digit_states_its_meaning(router: InMemoryRouter) -> None:
    """The digit's meaning is in the policy; without one the digit itself is the value."""
    await router.happens(call("started"), call("menu", digits="2"), call("menu", digits="9", k=1))
    assert await known(router) == [
        ("menu_choice", "a parcel", "menu"),
        ("menu_digit", "9", "menu"),
    ]


async def test_an_unknown_digit_states_nothing(router: InMemoryRouter) -> None:
    """A digit without a rule is recorded as what the caller did, and is no fact."""
    assert (await router.happens(call("started"), call("menu", digits="7")))[-1] == (
        "call.menu_selected"
    )
    assert await known(router) == []


async def test_form_fields_and_text_state_facts_once(router: InMemoryRouter) -> None:
    """A field that the policy names is a fact of the form; the same value in the text adds nothing."""
    fields = [("order", "ORD-1234"), ("colour", "red"), ("parcel", "  ")]
    await router.happens(form(f"ord-1234? ORD-1234! {PARCEL}", fields=fields))
    assert await known(router) == [
        ("order_number", "ORD-1234", "form"),
        ("parcel_number", PARCEL, "text"),
        ("colour", "red", "text"),
    ]


async def test_the_first_group_of_a_pattern_is_the_value(router: InMemoryRouter) -> None:
    """Without a group the whole match is the value."""
    await router.happens(message("It is (ORD-99887) and blue"))
    assert await known(router) == [
        ("order_number", "ORD-99887", "text"),
        ("colour", "blue", "text"),
    ]


def test_a_group_that_takes_no_part_leaves_the_whole_match() -> None:
    """`(ORD-\\d+)|my last order`: the second way has no group."""
    pattern = Pattern(fact="order", pattern=r"(ORD-\d+)|my last order")
    policy = replace(a_policy(), patterns=[pattern])
    assert facts_in(policy, "my last order, or ORD-7") == [
        ("order", "my last order"),
        ("order", "ORD-7"),
    ]


async def test_two_values_of_one_name_are_two_facts(router: InMemoryRouter) -> None:
    """A second parcel does not replace the first."""
    await router.happens(message(f"{PARCEL} and {OTHER_PARCEL}"))
    assert [value for _, value, _ in await known(router)] == [PARCEL, OTHER_PARCEL]


async def test_a_message_states_sixteen_facts_at_most(router: InMemoryRouter) -> None:
    """Form and text together, so that one message can neither fill a packet nor burst a batch."""
    fields = [("order", f"ORD-{number:06}") for number in range(2_000)]
    await router.happens(form("red", fields=fields))
    assert len(await known(router)) == FACTS_PER_MESSAGE


@pytest.mark.parametrize(
    ("title", "stated"),
    [(f"Where is {PARCEL}?", True), (f"Re: Where is {PARCEL}?", False), (f"ODP: {PARCEL}", False)],
)
async def test_the_title_of_a_mail_is_part_of_what_she_wrote(
    router: InMemoryRouter, title: str, stated: bool
) -> None:
    """But not the title that she only answers."""
    mail = message("please see the title", channel="email")
    assert mail.personal is not None
    personal = replace(mail.personal, title=title)
    await router.happens(replace(mail, data=replace(mail.data, personal=personal)))
    it = await router.conversation()
    assert (PARCEL in {fact.value for fact in it.matter.facts.values()}) is stated
    assert (PARCEL in it.talk.said[-1].text) is stated


async def test_an_automatic_mail_states_nothing(router: InMemoryRouter) -> None:
    """What a machine quotes is not what the customer told."""
    await router.happens(message(f"out of office, {PARCEL}", channel="email", automatic=True))
    assert await known(router) == []


async def test_told_twice_to_the_same_ear_is_not_a_repetition(router: InMemoryRouter) -> None:
    """Before a hand-over the same fact again decides nothing, in whatever spelling."""
    it = await router.owned_by("piotr", message(f"{PARCEL}"))
    await router.does("piotr", "record_fact", conversation=it, fact="wish", value="A refund")
    types = await router.does(
        "piotr", "record_fact", conversation=it, fact="wish", value="a  REFUND"
    )
    assert types == []
    assert await router.all(FactRepeated) == []


async def test_told_again_to_the_next_agent_is_a_repetition(router: InMemoryRouter) -> None:
    """After a hand-over an agent writes down a known fact: the customer had to say it again."""
    it = await router.owned_by("piotr", call("started"), call("menu", digits="2"))
    await router.does("piotr", "record_fact", conversation=it, fact="wish", value="refund")
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.offers()
    key = (await router.transfer()).transfer_id
    await router.does("marek", "accept_transfer", conversation=it, transfer_id=key)
    assert await router.does(
        "marek", "record_fact", conversation=it, fact="wish", value="Refund"
    ) == ["fact.repeated"]
    repeated = (await router.last(FactRepeated)).open
    assert (repeated.name, repeated.told_to, repeated.hops_since) == ("wish", "marek", 1)
    assert (await router.conversation()).matter.repeats == 1


async def test_a_repetition_counts_once_per_hand_over(router: InMemoryRouter) -> None:
    """Said a third time to the same agent it is no further repetition."""
    it = await router.owned_by("piotr", message(PARCEL))
    fields = {"conversation": it, "fact": "parcel_number", "value": PARCEL}
    assert await router.does("piotr", "record_fact", **fields) == ["fact.repeated"]
    assert await router.does("piotr", "record_fact", **fields) == []


async def test_told_again_in_text_after_the_owner_changed_is_a_repetition(
    router: InMemoryRouter,
) -> None:
    """What the chat said before anybody took it, and again afterwards."""
    await router.owned_by("piotr", message(PARCEL, "m1"))
    types = await router.happens(message(f"as I said: {PARCEL}", "m1", k=1))
    assert types == ["message.received", "fact.repeated"]


async def test_told_again_on_another_channel_is_a_repetition(router: InMemoryRouter) -> None:
    """The customer wrote it in a form, then had to press it into a phone: the channel was a hand-over."""
    await registered(router)
    await router.happens(message(PARCEL, channel="email", handles=ANNA))
    types = await router.happens(form(PARCEL, "f2", handles=ANNA))
    assert types[-1] == "fact.repeated"
    repeated = (await router.last(FactRepeated)).open
    assert (repeated.channel, repeated.hops_since) == ("form", 1)


async def test_a_form_after_a_form_is_no_hand_over(router: InMemoryRouter) -> None:
    """The same channel again, nobody in between: nothing was lost, nothing is counted."""
    await router.happens(form(PARCEL, "f1"), form(PARCEL, "f2"))
    assert await router.all(FactRepeated) == []


async def test_a_corrected_fact_keeps_its_id_and_its_history(router: InMemoryRouter) -> None:
    """The new value stands, the old one stays in the ledger; the same correction again decides nothing."""
    it = await router.owned_by("piotr", message(PARCEL))
    (fact,) = (await router.conversation()).matter.facts
    fields = {"conversation": it, "fact_id": fact, "value": OTHER_PARCEL}
    assert await router.does("piotr", "correct_fact", **fields) == ["fact.corrected"]
    assert await router.does("piotr", "correct_fact", **fields) == []
    assert await known(router) == [("parcel_number", OTHER_PARCEL, "text")]
    stated, corrected = (await router.last(FactStated)).personal, await router.last(FactCorrected)
    assert stated is not None
    assert (stated.value, corrected.open.fact_id) == (PARCEL, fact)


async def test_a_corrected_fact_was_told_to_the_one_who_corrected_it(
    router: InMemoryRouter,
) -> None:
    """The corrected value told again to the same agent is no repetition; the wrong one is a new fact."""
    it = await router.owned_by("piotr", message(PARCEL))
    (fact,) = (await router.conversation()).matter.facts
    await router.does("piotr", "correct_fact", conversation=it, fact_id=fact, value=OTHER_PARCEL)
    fields = {"conversation": it, "fact": "parcel_number"}
    assert await router.does("piotr", "record_fact", **fields, value=OTHER_PARCEL) == []
    assert await router.does("piotr", "record_fact", **fields, value=PARCEL) == ["fact.stated"]


async def test_an_unknown_fact_cannot_be_corrected(router: InMemoryRouter) -> None:
    """The id must be one of this conversation's live facts."""
    it = await router.owned_by("piotr", message("hello"))
    code = await router.refused("piotr", "correct_fact", conversation=it, fact_id="f0", value="x")
    assert code == "fact.unknown"


@pytest.mark.parametrize("value", ["x" * 511 + "ä", "ä" * 257, '"' * 257, "a" + "\n" * 257])
async def test_a_value_that_no_packet_could_hold_is_refused(
    router: InMemoryRouter, value: str
) -> None:
    """512 bytes as JSON, not characters: umlauts and escapes count in full."""
    it = await router.owned_by("piotr", message("hello"))
    fields = {"conversation": it, "fact": "wish"}
    assert await router.refused("piotr", "record_fact", **fields, value=value) == "text.too_long"
    assert await router.does("piotr", "record_fact", **fields, value="x" * TEXT_MAX_BYTES) == [
        "fact.stated"
    ]


async def test_a_value_from_a_text_is_cut_to_what_a_packet_holds(router: InMemoryRouter) -> None:
    """A pattern may match a long text: the customer cannot be refused, so its beginning is kept."""
    await router.happens(form("", fields=[("order", "ä" * 5_000)]))
    ((_, value, _),) = await known(router)
    assert value == "ä" * (TEXT_MAX_BYTES // 2)


@pytest.mark.parametrize(("attachments", "shown"), [(1, "[1 attachment]"), (2, "[2 attachments]")])
async def test_a_message_without_words_is_seen(
    router: InMemoryRouter, attachments: int, shown: str
) -> None:
    """A photograph alone is a request: who takes it sees that there is something."""
    await router.happens(message("", channel="email", attachments=attachments))
    it = await router.conversation()
    assert ([said.text for said in it.talk.said], it.talk.unanswered) == ([shown], 1)


async def test_one_mail_to_two_mailboxes_is_said_once(router: InMemoryRouter) -> None:
    """Other words under the same Message-ID are another mail; also with another one between the two copies."""
    first = message("it is broken", channel="email")
    it, provider_id = await router.owned_by("piotr", first), first.open.provider_id
    told = (("it is broken", 1), ("it burns", 2), ("it is broken", 2))
    for k, (text, said) in enumerate(told, start=1):
        again = message(text, channel="email", k=k, in_reply_to=it)
        claims = {"account": "claims", "contact_id": ContactId(f"claims{k}")}
        opened = replace(again.data.open, provider_id=provider_id, **claims)
        await router.happens(replace(again, data=replace(again.data, open=opened)))
        talk = (await router.conversation()).talk
        assert (len(talk.said), talk.unanswered) == (said, said)
