"""What the desk does with a conversation beside talking: labels, putting aside, opening again."""

from datetime import timedelta

import pytest
from hypothesis import given as given_ids
from hypothesis import strategies as st
from msgspec.structs import replace

from services.router.domain.reviews import drawn
from shared import events, timers
from shared.policy import Disposition, Reviews
from tests.router.given import POLICY, Given
from tests.router.samples import TENANT, call, message

OVER = timers.SNOOZE_OVER.name
DAY = 86_400


def owned(*also: str) -> Given:
    """A chat that Piotr has; others are on duty too."""
    return Given().on_duty("piotr").reports(message("hello")).offered().accepted().on_duty(*also)


def aside(seconds: int = 3_600, *also: str) -> Given:
    """A chat that Piotr has put aside."""
    given = owned(*also)
    return given.does("piotr", "snooze", until=given.now + timedelta(seconds=seconds))


def resolved(*also: str) -> Given:
    """A chat that Piotr has resolved."""
    given = owned(*also).does("piotr", "wrap_up", disposition="solved", summary="Two pairs.")
    return given.does("piotr", "resolve")


def snooze_id(given: Given) -> str:
    snooze = given.conversation.handling.snooze
    assert snooze is not None
    return snooze.snooze_id


# -- labels ---------------------------------------------------------------------------------------------


def test_labels_are_given_and_taken_once() -> None:
    """What is so already is left out, and a command that changes nothing is noted alone."""
    given = owned().does("piotr", "label", add=["vip", "new", "vip"])
    outcome = given.when("ewa", "label", add=["vip", "complaint"], remove=["new", "other"])
    labelled = outcome.of(events.ConversationLabelled)
    assert (labelled.added, labelled.removed, labelled.agent) == (["complaint"], ["new"], "ewa")
    after = given.after(outcome)
    assert after.conversation.handling.labels == ("vip", "complaint")
    again = after.when("ewa", "label", add=["vip", "complaint"], remove=["new"])
    assert again.types == ["command.noted"]
    assert after.when("ewa", "label", add=["vip"], remove=["vip"]).types == ["command.noted"]


def test_a_conversation_has_sixteen_labels_and_a_resolved_one_too() -> None:
    """One more is refused; one in the place of another is not."""
    many = [f"l{n}" for n in range(16)]
    given = resolved().does("ewa", "label", add=many)
    assert given.when("ewa", "label", add=["more"]).refused == "label.too_many"
    changed = given.when("ewa", "label", add=["more"], remove=["l0"])
    assert given.after(changed).conversation.handling.labels == (*many[1:], "more")


# -- put aside ------------------------------------------------------------------------------------------


def test_what_is_put_aside_stays_hers_and_takes_no_slot() -> None:
    """She is asked to take others meanwhile; nothing is taken from her when she goes home."""
    given = aside()
    assert given.conversation.ownership.owner == "piotr"
    assert given.busy() == set()
    home = given.does("piotr", "set_status", status="signed_out")
    assert home.returns().events == []


@pytest.mark.parametrize(
    ("seconds", "refused"),
    [
        (0, "snooze.until_invalid"),
        (1, None),
        (366 * DAY, None),
        (366 * DAY + 1, "snooze.until_invalid"),
    ],
)
def test_it_is_put_aside_until_a_time_that_comes(seconds: int, refused: str | None) -> None:
    """After now, and within 366 days; the same again decides nothing, and only its owner may."""
    given = owned("ewa")
    until = given.now + timedelta(seconds=seconds)
    assert given.when("piotr", "snooze", until=until).refused == refused
    assert given.when("ewa", "snooze", until=until).refused == "conversation.not_owned"
    if refused is None:
        after = given.does("piotr", "snooze", until=until)
        assert after.when("piotr", "snooze", until=until).types == ["command.noted"]


def test_nothing_is_put_aside_in_a_call_or_on_its_way_to_somebody() -> None:
    """She is on the line, or a colleague is asked."""
    ringing = Given().on_duty("piotr").reports(call("started")).offered().accepted()
    until = ringing.now + timedelta(hours=1)
    assert ringing.when("piotr", "snooze", until=until).refused == "snooze.not_now"
    to = {"queue": "warehouse"}
    warm = owned("marek").does("piotr", "transfer", to=to, kind="warm", brief="please")
    assert warm.when("piotr", "snooze", until=until).refused == "snooze.not_now"


@pytest.mark.parametrize(("early", "wakes"), [(1, False), (0, True)])
def test_it_comes_back_at_its_time(early: int, wakes: bool) -> None:
    """Its owner is told, and has a slot less; a second before, and for another time, nothing happens."""
    given = aside(3_600)
    late = given.passes(3_600 - early)
    outcome = late.fires(OVER, snooze_id(given))
    assert outcome.types == (["conversation.woken", "agent.reserved"] if wakes else [])
    assert late.passes(60).fires(OVER, "another").events == []
    if wakes:
        woken, after = outcome.of(events.ConversationWoken), late.after(outcome)
        assert (woken.by, woken.to_owner, after.busy()) == ("time", "piotr", {"piotr"})
        assert after.fires(OVER, snooze_id(given)).events == []


def test_a_new_time_counts_in_the_place_of_the_old_one() -> None:
    """The timer of the old one finds nothing."""
    given = aside(3_600)
    later = given.does("piotr", "snooze", until=given.now + timedelta(hours=2))
    assert later.passes(3_601).fires(OVER, snooze_id(given)).events == []
    assert later.passes(7_201).fires(OVER, snooze_id(later)).types[0] == "conversation.woken"


def test_what_comes_back_to_an_owner_who_has_gone_waits_in_its_queue() -> None:
    """In the same decision, with the packet: nobody waits with somebody who is not there (I14)."""
    given = aside().does("piotr", "set_status", status="signed_out").passes(3_600)
    outcome = given.fires(OVER, snooze_id(given))
    assert outcome.types[0] == "conversation.woken"
    assert outcome.types[-2:] == ["conversation.returned", "contact.wait_started"]
    assert outcome.of(events.ConversationWoken).to_owner is None
    ownership = given.after(outcome).conversation.ownership
    assert (ownership.owner, ownership.queue) == (None, "hotline")


def test_the_customer_comes_first() -> None:
    """She writes on, and it is back: its owner is told, as nobody else tells her."""
    outcome_of = aside().reports(message("And in red?", k=1))
    handling, ownership = outcome_of.conversation.handling, outcome_of.conversation.ownership
    assert (handling.snooze, ownership.owner, outcome_of.busy()) == (None, "piotr", {"piotr"})
    gone = aside().does("piotr", "set_status", status="signed_out")
    back = gone.reports(message("And in red?", k=1)).conversation
    assert (back.handling.snooze, back.ownership.queue) == (None, "hotline")


def test_whoever_gets_it_has_it_awake() -> None:
    """Handed on, resolved, or gone on with by its owner, it is aside no longer."""
    given = aside(3_600, "marek")
    to = {"queue": "warehouse"}
    for kind, busy in (("cold", set()), ("warm", {"piotr"})):
        handed = given.does("piotr", "transfer", to=to, kind=kind, brief="please")
        assert (handed.conversation.handling.snooze, handed.busy()) == (None, busy)
    on = given.does("piotr", "wake")
    assert (on.conversation.handling.snooze, on.busy()) == (None, {"piotr"})
    assert on.when("piotr", "wake").types == ["command.noted"]
    over = given.does("piotr", "wrap_up", disposition="solved", summary="Done.")
    over = over.does("piotr", "resolve")
    assert (over.conversation.handling.snooze, over.busy()) == (None, set())


# -- opened again ---------------------------------------------------------------------------------------


def test_another_agent_opens_it_again_and_owns_it() -> None:
    """With the packet, and she says how it went before it is closed again."""
    given = resolved("ewa")
    outcome = given.when("ewa", "reopen", reason="The wrong size again.")
    assert outcome.types[-2:] == ["conversation.reopened", "agent.reserved"]
    assert outcome.of(events.ConversationReopened).resolved_by == "piotr"
    after = given.after(outcome)
    assert (after.conversation.ownership.owner, after.busy()) == ("ewa", {"ewa"})
    assert after.when("ewa", "reopen", reason="Again.").types == ["command.noted"]
    assert after.when("piotr", "reopen", reason="Mine.").refused == "conversation.open"
    assert after.when("ewa", "resolve").refused == "conversation.not_wrapped_up"
    wrapped = after.does("ewa", "wrap_up", disposition="solved", summary="Sent another pair.")
    assert wrapped.when("ewa", "resolve").types[0] == "conversation.resolved"


@pytest.mark.parametrize(("late", "refused"), [(0, None), (1, "reopen.too_late")])
def test_it_is_opened_again_within_the_policys_time(late: int, refused: str | None) -> None:
    """Seven days, unless the policy says otherwise; and by somebody who is there."""
    given = resolved("ewa").passes(7 * DAY + late)
    assert given.when("ewa", "reopen", reason="Again.").refused == refused
    assert resolved().when("ewa", "reopen", reason="Again.").refused == "agent.signed_out"


# -- how it went ----------------------------------------------------------------------------------------


def with_policy(**parts: object) -> Given:
    """Given a policy that says more."""
    return Given(policy=replace(POLICY, **parts))


def test_a_contact_ends_in_a_way_that_the_policy_lists() -> None:
    """With what comes next where it says so; without a list any word will do."""
    listed = {"solved": Disposition(), "forwarded": Disposition(next_step=True)}
    given = with_policy(dispositions=listed).on_duty("piotr").reports(message("hello"))
    given = given.offered().accepted()
    said = {"summary": "To the warehouse."}
    other = given.when("piotr", "wrap_up", disposition="other", **said)
    assert other.refused == "disposition.unknown"
    nothing_next = given.when("piotr", "wrap_up", disposition="forwarded", **said)
    assert nothing_next.refused == "disposition.next_step_missing"
    said |= {"next_step": "They call her."}
    wrapped = given.when(
        "piotr", "wrap_up", disposition="forwarded", confirmed_by_customer=True, **said
    )
    assert wrapped.types == ["contact.wrapped_up", "contact.completed"]
    assert wrapped.of(events.ContactWrappedUp).confirmed_by_customer is True


def reviewed(percent: float = 100, *, agent: str = "ewa", criteria: tuple[str, ...] = ()) -> Given:
    """A chat that somebody of the hotline, whose supervisor is Piotr, wrapped up."""
    given = with_policy(reviews=Reviews(percent=percent, criteria=criteria)).on_duty(agent)
    given = given.reports(message("hello")).offered().accepted()
    return given.does(agent, "wrap_up", disposition="solved", summary="Done.")


def test_a_completed_contact_is_looked_at_by_the_supervisor_of_its_queue() -> None:
    """Once, and never by whoever did the work."""
    given = reviewed()
    [review] = given.conversation.reviewing.by_id.values()
    assert (review.agent, review.queue) == ("ewa", "hotline")
    again = given.reports(message("One more thing", k=1))
    again = again.does("ewa", "wrap_up", disposition="solved", summary="Done.")
    assert len(again.conversation.reviewing.by_id) == 1
    assert reviewed(agent="piotr").conversation.reviewing.by_id == {}
    assert reviewed(0).conversation.reviewing.by_id == {}


@given_ids(st.lists(st.uuids(), min_size=1, max_size=50), st.floats(0, 100))
def test_which_contacts_are_looked_at_is_no_chance(names: list[object], percent: float) -> None:
    """Their ids say it, the same each time, and more of them never leave one out that fewer took."""
    for name in names:
        contact_id = events.ContactId(str(name))
        taken = drawn(TENANT, contact_id, percent)
        assert taken == drawn(TENANT, contact_id, percent)
        assert not taken or drawn(TENANT, contact_id, min(100, percent + 1))
    assert all(drawn(TENANT, events.ContactId(str(name)), 100) for name in names)


def test_a_review_is_scored_once_by_the_supervisor() -> None:
    """By all criteria of the policy; another score is refused, the same decides nothing, the end changes nothing."""
    given = reviewed(criteria=("kind", "right")).does("ewa", "resolve")
    [review_id] = given.conversation.reviewing.by_id
    said = {"review_id": review_id, "finding": "Kind."}
    card = {"kind": 90, "right": 80}
    assert given.when("ewa", "score_review", card=card, **said).refused == "review.forbidden"
    for other in ({"kind": 90}, {**card, "quick": 1}):
        refused = given.when("piotr", "score_review", card=other, **said).refused
        assert refused == "review.card_invalid"
    unknown = {**said, "review_id": "another"}
    assert given.when("piotr", "score_review", card=card, **unknown).refused == "review.unknown"
    outcome = given.when("piotr", "score_review", card=card, **said)
    scored = outcome.of(events.ReviewScored)
    assert (scored.agent, scored.by, scored.card) == ("ewa", "piotr", card)
    after = given.after(outcome)
    assert after.when("piotr", "score_review", card=card, **said).types == ["command.noted"]
    other = {"kind": 10, "right": 80}
    assert after.when("piotr", "score_review", card=other, **said).refused == "review.scored"
