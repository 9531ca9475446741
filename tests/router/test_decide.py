"""What a command comes to, decision by decision: offers, transfers, promises, callbacks."""

from datetime import timedelta

import pytest

from shared import events, timers
from tests.router.given import Given
from tests.router.samples import call, message

OFFER, TRANSFER = timers.OFFER_EXPIRY.name, timers.TRANSFER_EXPIRY.name


def ringing(*on_duty: str) -> Given:
    """A call that somebody was asked to take."""
    return Given().on_duty(*(on_duty or ("piotr",))).reports(call("started")).offered()


def owned(*also: str) -> Given:
    """A chat that Piotr has; others are on duty too."""
    return Given().on_duty("piotr").reports(message("hello")).offered().accepted().on_duty(*also)


def handed_on(kind: str, **to: str) -> Given:
    """Piotr hands his chat on; Ewa and Marek are on duty."""
    return owned("ewa", "marek").does("piotr", "transfer", to=to, kind=kind, brief="please")


# -- offers --------------------------------------------------------------------------------------------


def test_an_offer_carries_the_packet_before_it_and_takes_a_slot() -> None:
    """Who is asked sees everything before she answers, and is asked for nothing else in this slot."""
    outcome = Given().on_duty("piotr").reports(call("started")).dispatches()
    assert outcome.types == ["context.packaged", "contact.offered", "agent.reserved"]
    offered = outcome.of(events.ContactOffered)
    assert offered.packet_id == outcome.of(events.ContextPackaged).packet_id
    assert (offered.agent, outcome.of(events.AgentReserved).agent) == ("piotr", "piotr")


def test_nobody_is_asked_twice_at_once() -> None:
    """While an offer is open the dispatcher decides nothing; nor does it with nobody on duty."""
    assert ringing().dispatches().events == []
    assert Given().reports(call("started")).dispatches().events == []


def test_who_is_asked_takes_the_contact_and_owns_the_conversation() -> None:
    """The packet of the offer still shows how things stand, so the acceptance names it."""
    given = ringing()
    outcome = given.when("piotr", "accept_offer", offer_id=given.offer.offer_id)
    assert outcome.types == ["contact.accepted"]
    assert outcome.of(events.ContactAccepted).packet_id == given.offer.packet_id
    after = given.after(outcome)
    assert (after.conversation.ownership.owner, after.busy()) == ("piotr", {"piotr"})


def test_an_acceptance_after_something_new_carries_a_fresh_packet() -> None:
    """What was shown with the offer is no longer all of it."""
    given = ringing().reports(call("menu", digits="1", k=1))
    outcome = given.when("piotr", "accept_offer", offer_id=given.offer.offer_id)
    assert outcome.types == ["context.packaged", "contact.accepted"]
    assert outcome.of(events.ContactAccepted).packet_id != given.offer.packet_id


def test_an_answered_offer_cannot_be_answered_again() -> None:
    """The offer is gone: by her own acceptance, by her refusal, and for everybody else."""
    given = ringing("piotr", "ewa")
    asked, offer_id = given.offer.agent, given.offer.offer_id
    other = {"piotr": "ewa", "ewa": "piotr"}[asked]
    assert given.when(other, "accept_offer", offer_id=offer_id).refused == "offer.not_yours"
    assert given.when(other, "reject_offer", offer_id=offer_id).refused == "offer.not_yours"
    for verb in ("accept_offer", "reject_offer"):
        after = given.does(asked, verb, offer_id=offer_id)
        assert after.when(asked, verb, offer_id=offer_id).refused == "offer.expired"


def test_a_refused_offer_frees_the_slot_and_rests_the_agent() -> None:
    """She is asked again when she has had a rest, not at once."""
    given = ringing()
    outcome = given.when("piotr", "reject_offer", offer_id=given.offer.offer_id, reason="lunch")
    assert outcome.types == ["contact.rejected", "agent.released"]
    after = given.after(outcome)
    assert after.busy() == set()
    assert after.passes(29).dispatches().events == []
    assert after.passes(31).dispatches().of(events.ContactOffered).agent == "piotr"


def test_after_a_refusal_somebody_else_is_asked() -> None:
    """The one who was passed over least comes first."""
    given = ringing("piotr", "ewa")
    asked = given.offer.agent
    after = given.does(asked, "reject_offer", offer_id=given.offer.offer_id)
    assert {asked, after.dispatches().of(events.ContactOffered).agent} == {"piotr", "ewa"}


@pytest.mark.parametrize(("early", "refused"), [(1, None), (0, "offer.expired")])
def test_an_offer_is_answered_before_its_time(early: int, refused: str | None) -> None:
    """Its last second counts, the time itself does not; a transfer's offer has the transfer's time."""
    given = ringing()
    late = given.passes((given.offer.expires - given.now).total_seconds() - early)
    for verb in ("accept_offer", "reject_offer"):
        assert late.when("piotr", verb, offer_id=given.offer.offer_id).refused == refused
    given = handed_on("warm", agent="marek").offered()
    assert given.offer.expires == given.transfer.expires
    late = given.passes((given.transfer.expires - given.now).total_seconds() - early)
    for verb in ("accept_transfer", "reject_transfer"):
        transfer_id = given.transfer.transfer_id
        assert late.when("marek", verb, transfer_id=transfer_id).refused == refused


@pytest.mark.parametrize(("early", "expires"), [(1, False), (0, True)])
def test_an_offer_ends_at_its_time_by_either_clock(early: int, expires: bool) -> None:
    """The timer's own time or ours has come; a second before it by both nothing ends."""
    given, ended = ringing(), ["contact.offer_expired", "agent.released"]
    offer, at = given.offer, given.offer.expires - timedelta(seconds=early)
    ours = given.passes((at - given.now).total_seconds())
    assert ours.fires(OFFER, offer.offer_id, due=given.now).types == (ended if expires else [])
    assert given.fires(OFFER, offer.offer_id, due=at).types == (ended if expires else [])
    assert given.passes(60).fires(OFFER, "another").events == []


def test_what_the_caller_saw_must_still_stand() -> None:
    """Another offer or packet than she saw is stale; the right ones are taken."""
    given = ringing()
    offer = {"offer_id": given.offer.offer_id}
    for expected in ({"offer_id": "another"}, {"packet_id": "another"}):
        assert (
            given.when("piotr", "accept_offer", **offer, expected=expected).refused
            == "command.stale"
        )
    seen = {**offer, "packet_id": given.offer.packet_id}
    assert given.when("piotr", "accept_offer", **offer, expected=seen).refused is None
    given = handed_on("warm", agent="marek")
    transfer = {"transfer_id": given.transfer.transfer_id}
    stale = given.when("piotr", "cancel_transfer", **transfer, expected={"transfer_id": "another"})
    assert stale.refused == "command.stale"
    assert given.when("piotr", "cancel_transfer", **transfer, expected=transfer).refused is None


def test_only_agents_of_the_policy_give_commands() -> None:
    """A service and a stranger are refused before anything is looked at."""
    given = ringing()
    offer_id = given.offer.offer_id
    for actor, code in (("service:crm", "command.forbidden"), ("agent:eve", "agent.unknown")):
        assert given.when(actor, "accept_offer", offer_id=offer_id).refused == code
    nothing = Given().on_duty("piotr")
    refused = nothing.when("piotr", "accept_offer", offer_id=offer_id).refused
    assert refused == "conversation.unknown"


# -- transfers -----------------------------------------------------------------------------------------


def test_a_cold_transfer_lets_go_at_once_and_a_warm_one_keeps_its_owner() -> None:
    """Both carry a packet that shows the brief; only the cold one frees the sender's slot."""
    given = owned("marek")
    for kind, freed in (("cold", ["agent.released", "contact.wait_started"]), ("warm", [])):
        to = {"queue": "warehouse"}
        outcome = given.when("piotr", "transfer", to=to, kind=kind, brief="the parcel")
        assert outcome.types == ["context.packaged", "transfer.requested", *freed]
        packed = outcome.events[0].personal.packet  # type: ignore[union-attr]
        assert packed.path.hops[-1].brief == "the parcel"
        owner = given.after(outcome).conversation.ownership.owner
        assert owner == (None if kind == "cold" else "piotr")


@pytest.mark.parametrize(
    "to",
    [{}, {"agent": "eve"}, {"queue": "moon"}, {"team": "moon"}, {"agent": "piotr"},
     {"agent": "ewa", "queue": "hotline"}],
)  # fmt: skip
def test_a_transfer_goes_to_exactly_one_place_that_is_there(to: dict[str, str]) -> None:
    """Not to nobody, to two, to a stranger, or to the sender."""
    outcome = owned("ewa").when("piotr", "transfer", to=to, kind="cold", brief="x")
    assert outcome.refused == "transfer.target_unknown"


def test_only_the_owner_hands_on_and_once_at_a_time() -> None:
    """Nobody else may, and a second transfer waits for the first to end."""
    to = {"to": {"agent": "marek"}, "kind": "warm", "brief": "x"}
    assert owned("ewa").when("ewa", "transfer", **to).refused == "conversation.not_owned"
    assert handed_on("warm", agent="marek").when("piotr", "transfer", **to).refused == (
        "transfer.already_open"
    )


@pytest.mark.parametrize("kind", ["warm", "cold"])
@pytest.mark.parametrize("to", [{"agent": "marek"}, {"team": "store"}, {"queue": "warehouse"}])
def test_the_colleague_who_accepts_owns_it_with_the_packet(kind: str, to: dict[str, str]) -> None:
    """However it was sent and to whom: one owner, one slot, the sender is free."""
    given = handed_on(kind, **to).offered()
    outcome = given.when("marek", "accept_transfer", transfer_id=given.transfer.transfer_id)
    assert outcome.of(events.TransferAccepted).packet_id == given.offer.packet_id
    after = given.after(outcome)
    assert (after.conversation.ownership.owner, after.busy()) == ("marek", {"marek"})
    again = after.when("marek", "accept_transfer", transfer_id=given.transfer.transfer_id)
    assert again.refused == "transfer.not_open"


def test_a_refused_transfer_comes_back_or_asks_the_next() -> None:
    """To one agent it is final: warm back to the sender, cold to a queue. Of a queue the next one is asked."""
    for kind, back in (("warm", "agent-piotr"), ("cold", "queue-hotline")):
        given = handed_on(kind, agent="marek").offered()
        outcome = given.when("marek", "reject_transfer", transfer_id=given.transfer.transfer_id)
        rejected = outcome.of(events.TransferRejected)
        assert (rejected.final, rejected.returned_to) == (True, back)
        assert "marek" not in given.after(outcome).busy()
    given = handed_on("cold", queue="warehouse").offered()
    outcome = given.when("marek", "reject_transfer", transfer_id=given.transfer.transfer_id)
    assert outcome.of(events.TransferRejected).final is False
    assert given.after(outcome).conversation.ownership.transfer is not None


def test_the_sender_alone_takes_a_transfer_back() -> None:
    """A cold one gives her the slot again; an open question to a colleague is withdrawn."""
    given = handed_on("cold", agent="marek").offered()
    transfer = {"transfer_id": given.transfer.transfer_id}
    assert given.when("ewa", "cancel_transfer", **transfer).refused == "conversation.not_owned"
    outcome = given.when("piotr", "cancel_transfer", **transfer)
    assert outcome.types == ["transfer.cancelled", "agent.released", "agent.reserved"]
    after = given.after(outcome)
    assert (after.conversation.ownership.owner, after.busy()) == ("piotr", {"piotr"})
    assert after.when("piotr", "cancel_transfer", **transfer).refused == "transfer.not_open"


@pytest.mark.parametrize(("kind", "back"), [("warm", "agent-piotr"), ("cold", "queue-warehouse")])
def test_a_transfer_that_nobody_takes_ends_at_its_time(kind: str, back: str) -> None:
    """Not a moment earlier; a timer of another transfer ends nothing."""
    given = handed_on(kind, queue="warehouse")
    transfer, left = given.transfer, (given.transfer.expires - given.now).total_seconds()
    assert given.passes(left - 1).fires(TRANSFER, transfer.transfer_id).events == []
    assert given.passes(left).fires(TRANSFER, "another").events == []
    outcome = given.passes(left).fires(TRANSFER, transfer.transfer_id)
    assert outcome.of(events.TransferExpired).returned_to == back


def test_a_timer_of_a_newer_version_waits_for_it() -> None:
    """This one does not know what it asks: it is no answer to decide nothing."""
    with pytest.raises(Exception, match="a question that this version does not know"):
        owned().fires("kind_of_a_newer_version", "x")


# -- promises ------------------------------------------------------------------------------------------


def promised(seconds: float = 3_600) -> tuple[Given, str]:
    """Piotr promised something by a time; the promise's id."""
    given = owned()
    due = given.now + timedelta(seconds=seconds)
    given = given.does("piotr", "make_promise", text="We call you.", due=due)
    (promise_id,) = given.conversation.matter.promises
    return given, promise_id


@pytest.mark.parametrize(("after_seconds", "late"), [(3_600, False), (3_601, True)])
def test_a_promise_is_kept_in_time_or_late_and_once(after_seconds: int, late: bool) -> None:
    """Keeping it again decides nothing, and is remembered."""
    given, promise_id = promised()
    given = given.passes(after_seconds)
    outcome = given.when("piotr", "keep_promise", promise_id=promise_id)
    assert outcome.of(events.PromiseKept).late is late
    again = given.after(outcome).when("piotr", "keep_promise", promise_id=promise_id)
    assert again.types == ["command.noted"]


def test_a_promise_that_was_never_made_cannot_be_kept() -> None:
    """Whatever id is given."""
    assert owned().when("piotr", "keep_promise", promise_id="none").refused == "promise.not_open"


@pytest.mark.parametrize("seconds", [0, -1, 3_661 * 86_400])
def test_a_promise_has_a_time_to_come(seconds: int) -> None:
    """Not now, not before, not in more than ten years."""
    given = owned()
    due = given.now + timedelta(seconds=seconds)
    outcome = given.when("piotr", "make_promise", text="We call you.", due=due)
    assert outcome.refused == "promise.due_invalid"


def test_what_was_promised_outlives_the_matter() -> None:
    """After the end a promise can be kept, and nothing else be done."""
    given, promise_id = promised()
    wrapped = {"disposition": "solved", "summary": "done"}
    given = given.does("piotr", "wrap_up", **wrapped).does("piotr", "resolve")
    assert given.when("piotr", "keep_promise", promise_id=promise_id).types == ["promise.kept"]
    due = given.now + timedelta(hours=1)
    refused = given.when("piotr", "make_promise", text="More.", due=due).refused
    assert refused == "conversation.resolved"


# -- callbacks -----------------------------------------------------------------------------------------


def hung_up() -> tuple[Given, str]:
    """A caller who hung up before anybody took her call; the callback's id."""
    given = Given().on_duty("ewa").reports(call("started")).reports(call("ended", k=1))
    (callback_id,) = given.conversation.matter.callbacks
    return given, callback_id


def test_whoever_hung_up_is_owed_one_callback_however_often_she_tries() -> None:
    """A quarter of an hour after the first try; the second shares it."""
    given, callback_id = hung_up()
    callback = given.conversation.matter.callbacks[events.CallbackId(callback_id)]
    assert (callback.status, callback.queue) == ("open", "hotline")
    assert callback.due == given.now + timedelta(seconds=900)
    again = given.reports(call("started", "CA2", k=2)).reports(call("ended", "CA2", k=3))
    assert list(again.conversation.matter.callbacks) == [callback_id]


def test_nobody_answering_leaves_the_callback_open_and_counts_the_try() -> None:
    """Each try is one more."""
    given, callback_id = hung_up()
    for attempt in (1, 2):
        outcome = given.when(
            "ewa", "attempt_callback", callback_id=callback_id, outcome="no_answer"
        )
        assert outcome.of(events.CallbackAttempted).attempt == attempt
        given = given.after(outcome)
    assert given.conversation.matter.callbacks[events.CallbackId(callback_id)].status == "open"


def test_reaching_her_is_a_hand_over_with_a_packet() -> None:
    """The agent owns the conversation from then on, has the packet, and one slot less."""
    given, callback_id = hung_up()
    reached = {"callback_id": callback_id, "outcome": "reached"}
    outcome = given.when("ewa", "attempt_callback", **reached)
    assert outcome.types == ["context.packaged", "callback.reached", "agent.reserved"]
    packet_id = outcome.of(events.ContextPackaged).packet_id
    assert outcome.of(events.CallbackReached).packet_id == packet_id
    after = given.after(outcome)
    assert (after.conversation.ownership.owner, after.busy()) == ("ewa", {"ewa"})
    assert after.when("ewa", "attempt_callback", **reached).refused == "callback.not_open"


def test_reaching_her_supersedes_a_transfer() -> None:
    """Whoever has her on the telephone has the matter; the colleague who was asked is free again."""
    given, callback_id = hung_up()
    given = given.on_duty("piotr", "marek").does("ewa", "set_status", status="away")
    given = given.reports(message("hello", channel="email", at=given.now)).offered().accepted()
    given = given.does("piotr", "transfer", to={"agent": "marek"}, kind="cold", brief="x").offered()
    reached = {"callback_id": callback_id, "outcome": "reached"}
    outcome = given.when("ewa", "attempt_callback", **reached)
    after = given.after(outcome)
    ownership = after.conversation.ownership
    assert (ownership.owner, ownership.transfer, ownership.offer) == ("ewa", None, None)
    assert ownership.hops[-1].outcome == "superseded"
    assert after.busy() == {"ewa"}


def test_a_callback_ends_for_a_stated_reason_and_once() -> None:
    """A reason has words; what is closed cannot be closed or tried again."""
    given, callback_id = hung_up()
    closing = {"callback_id": callback_id, "reason": "wrong number"}
    outcome = given.when("ewa", "close_callback", **closing)
    assert outcome.of(events.CallbackClosed).reason == "wrong number"
    after = given.after(outcome)
    assert after.when("ewa", "close_callback", **closing).refused == "callback.not_open"
    unknown = {**closing, "callback_id": "unknown"}
    assert given.when("ewa", "close_callback", **unknown).refused == "callback.not_open"
    too_long = {**closing, "reason": "ä" * 300}
    assert given.when("ewa", "close_callback", **too_long).refused == "text.too_long"


def test_another_agents_conversation_is_not_taken_by_calling_back() -> None:
    """She wrote meanwhile and Piotr has her matter: a try may be noted, reaching her is his."""
    given, callback_id = hung_up()
    given = given.on_duty("piotr").does("ewa", "set_status", status="away")
    given = given.reports(message("hello", channel="email", at=given.now)).offered().accepted()
    assert given.conversation.ownership.owner == "piotr"
    reached = {"callback_id": callback_id, "outcome": "reached"}
    assert given.when("ewa", "attempt_callback", **reached).refused == "conversation.not_owned"
