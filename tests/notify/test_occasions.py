"""What happens to a conversation, and who is told of it: nobody who waits is left to himself."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.notify.notifying import Notifying
from services.notify.store import NotificationStore
from shared import aggregates, policy
from shared.events import (
    AnyEvent,
    MessageId,
    NotificationAcknowledged,
    NotificationRequested,
    NotificationWithdrawn,
)
from shared.ledger import Write
from shared.policies import Policies
from shared.settings import Settings
from shared.timers import Timer
from tests.notify.samples import (
    CONVERSATION,
    PACKET,
    TENANT,
    absorbed,
    accepted,
    assigned,
    callback_escalated,
    callback_overdue,
    escalation_overdue,
    expired,
    failed,
    hold,
    joined,
    merged_into,
    message,
    of_clock,
    owed,
    promise_kept,
    promise_overdue,
    queued,
    reached,
    received,
    refused,
    resolved,
    returned,
    sent,
    signed_in,
    transferred,
    tried,
    types,
    unattended,
    uncertain,
    wait_exceeded,
    wrapped_up,
)
from tests.notify.twins import FixedClock, MemoryTransport
from tests.support.memory_ledger import MemoryLedger
from tests.support.memory_timers import MemoryTimers

POLICIES = Policies(policy.load(Settings().policy))
CONV, NOTIF = aggregates.CONVERSATION.of(CONVERSATION), aggregates.NOTIFICATION.of(CONVERSATION)


class World:
    """A ledger that the router writes to, and notify, which reads every event of it."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.screens = MemoryTransport()
        self.last: dict[str, int] = {}

    def notifying(self) -> Notifying:
        store = NotificationStore(self.ledger, MemoryTimers(), cached=16, retries=3)
        return Notifying(store, {"screen": self.screens}, POLICIES, FixedClock())

    async def happens(self, *events: AnyEvent) -> None:
        """Each is stored, and told before the next is stored."""
        for event in events:
            last = self.last.get(event.aggregate, 0)
            appended = await self.ledger.append(TENANT, [Write(event.aggregate, last, [event])])
            self.last[event.aggregate] = appended.position
            await self.notifying().on_event(event)

    async def everything_again(self) -> None:
        """The whole ledger is delivered once more, as after a consumer was lost."""
        for each in await self.ledger.read(TENANT, CONV):
            await self.notifying().on_event(each.event)

    async def notes(self) -> list[AnyEvent]:
        return [each.event for each in await self.ledger.read(TENANT, NOTIF)]

    async def told(self) -> list[tuple[str, str]]:
        """(recipient, reason) of every notification, in order."""
        notes = [each for each in await self.notes() if isinstance(each, NotificationRequested)]
        return [(each.open.recipient, each.open.reason) for each in notes]

    async def open(self) -> list[str]:
        """Whose notifications nobody has acknowledged."""
        notes = await self.notes()
        seen = [n.open.notification_id for n in notes if isinstance(n, NotificationAcknowledged)]
        asked = [each.open for each in notes if isinstance(each, NotificationRequested)]
        return [each.recipient for each in asked if each.notification_id not in seen]


@pytest.fixture
async def world() -> World:
    """Piotr owns a conversation that began in the hotline's queue."""
    world = World()
    await world.happens(received("e1", "chat-1"), queued("e2", "chat-1"), accepted("e3"))
    assert await world.open() == ["agent-piotr"]
    return world


async def test_the_owner_is_told_of_a_contact_that_joins(world: World) -> None:
    """A mail into her conversation is a request to her, once, about the event that says so."""
    event = joined("e4")
    await world.happens(event, received("e5"))
    assert (await world.told())[2:] == [("agent-piotr", "new_request")]
    _, shown = world.screens.sent[-1]
    assert (shown.recipient, shown.about) == ("agent-piotr", event.id)


async def test_what_joins_a_queue_or_comes_from_a_machine_tells_no_owner(world: World) -> None:
    """Without an owner on duty the queue is told by the contact's own event."""
    await world.happens(joined("e4", owner=None), received("e5"))
    assert len(await world.told()) == 2


@pytest.mark.parametrize("event", [wrapped_up("e9"), message("e9", agent="piotr")])
async def test_the_owner_acknowledges_by_doing_it(world: World, event: AnyEvent) -> None:
    """Wrapping the contact up, or answering, shows that she has seen it."""
    await world.happens(joined("e4"), received("e5"), event)
    assert await world.open() == ["agent-piotr"]
    assert types(await world.notes())[-1] == "notification.acknowledged"


async def test_wrapping_up_another_contact_acknowledges_nothing(world: World) -> None:
    """The mail came while she finished the chat."""
    await world.happens(joined("e4"), received("e5"), wrapped_up("e6", "chat-1"))
    assert await world.open() == ["agent-piotr", "agent-piotr"]


@pytest.mark.parametrize("event", [expired("e5"), refused("e5")])
async def test_a_transfer_that_ends_in_a_queue_tells_that_queue(
    world: World, event: AnyEvent
) -> None:
    """Nobody took it, and it waits for whoever comes: the queue must know, each time anew."""
    await world.happens(event)
    assert (await world.told())[2:] == [("queue-warehouse", "new_request")]
    await world.happens(accepted("e6", "marek"), expired("e7"))
    assert (await world.told())[3:] == [
        ("agent-marek", "owner_changed"),
        ("queue-warehouse", "new_request"),
    ]
    assert (await world.open())[-1] == "queue-warehouse"


@pytest.mark.parametrize("event", [expired("e5", "agent-piotr"), refused("e5", "agent-piotr")])
async def test_a_transfer_that_comes_back_is_told_to_its_sender(
    world: World, event: AnyEvent
) -> None:
    """It is hers again, and she may have counted on the colleague; going on with it shows that she knows."""
    await world.happens(event)
    assert (await world.told())[2:] == [("agent-piotr", "new_request")]
    await world.happens(message("e6", agent="piotr"))
    assert await world.open() == ["agent-piotr"]


async def test_a_refusal_after_which_the_next_one_is_asked_tells_nobody(world: World) -> None:
    """The transfer goes on."""
    await world.happens(refused("e5", None))
    assert len(await world.told()) == 2


async def test_what_an_absent_owner_had_is_told_to_its_queue(world: World) -> None:
    """With the packet; whoever takes it has seen that, and all that was told to the owner."""
    await world.happens(joined("e4"), returned("e5"))
    assert (await world.told())[3:] == [("queue-hotline", "new_request")]
    _, shown = world.screens.sent[-1]
    assert (shown.recipient, shown.packet_id) == ("queue-hotline", PACKET)
    await world.happens(accepted("e6", "ewa"))
    assert await world.open() == ["agent-piotr", "agent-ewa"]


async def test_an_overdue_promise_is_told_until_it_is_kept(world: World) -> None:
    """To whom the event names; keeping it late shows that she knows."""
    await world.happens(promise_overdue("e4"))
    assert (await world.told())[2:] == [("agent-piotr", "overdue")]
    await world.everything_again()
    assert len(await world.told()) == 3
    await world.happens(promise_kept("e5", agent="ewa"))
    assert await world.open() == ["agent-piotr"]


@pytest.mark.parametrize(("to", "seconds"), [("queue-warehouse", 0), ("agent-piotr", 120)])
async def test_a_line_that_did_not_answer_is_told_and_its_supervisor(
    world: World, to: str, seconds: int
) -> None:
    """At once where nobody of the line took it; whoever did gets the time to read it."""
    await world.happens(escalation_overdue("e4", to))
    asked = [each for each in await world.notes() if isinstance(each, NotificationRequested)][-1]
    assert (asked.open.recipient, asked.open.reason) == (to, "overdue")
    assert asked.open.escalates == asked.recorded + timedelta(seconds=seconds)


@pytest.mark.parametrize(("to", "seconds"), [("queue-hotline", 0), ("agent-piotr", 120)])
async def test_an_overdue_callback_is_told_again_and_the_next_one_too(
    world: World, to: str, seconds: int
) -> None:
    """The queue knew of the owed call: the next one is told at once. An owner gets the time to read it."""
    await world.happens(owed("e4"), callback_overdue("e5", to))
    asked = [each for each in await world.notes() if isinstance(each, NotificationRequested)][-1]
    assert (asked.open.recipient, asked.open.reason) == (to, "overdue")
    assert asked.open.escalates == asked.recorded + timedelta(seconds=seconds)


async def test_who_works_on_an_overdue_callback_has_seen_both_notices(world: World) -> None:
    """The one of the owed call, and the one of its time."""
    await world.happens(owed("e4"), callback_overdue("e5"), tried("e6"))
    assert await world.open() == ["agent-piotr"]
    await world.happens(callback_overdue("e7", attempts=1))
    assert await world.open() == ["agent-piotr", "queue-hotline"]
    await world.happens(tried("e8"))
    assert await world.open() == ["agent-piotr"]


async def test_the_supervisor_is_told_at_once_of_a_call_that_was_tried_in_vain(
    world: World,
) -> None:
    """All tries are made: the queue knew of it, so the next one is told; whoever goes on with it has seen that."""
    made = [tried(f"t{number}", attempt=number) for number in (1, 2, 3)]
    await world.happens(owed("e4"), *made, callback_escalated("e5"))
    asked = [each for each in await world.notes() if isinstance(each, NotificationRequested)][-1]
    assert (asked.open.recipient, asked.open.reason) == ("queue-hotline", "unreached")
    assert asked.open.escalates == asked.recorded
    await world.everything_again()
    assert await world.open() == ["agent-piotr", "queue-hotline"]
    await world.happens(tried("t4", attempt=4))
    assert await world.open() == ["agent-piotr"]


async def test_the_supervisor_is_told_once_of_a_long_wait(world: World) -> None:
    """After the last limit alone; whoever then takes the call has acknowledged it for her."""
    await world.happens(returned("e4"), wait_exceeded("e5", last=False))
    assert "wait_exceeded" not in [reason for _, reason in await world.told()]
    await world.happens(wait_exceeded("e6", last=True))
    await world.everything_again()
    assert (await world.told())[-1] == ("agent-piotr", "wait_exceeded")
    await world.happens(accepted("e7", "ewa"))
    assert await world.open() == ["agent-piotr", "agent-ewa"]


async def test_a_queue_without_a_supervisor_is_told_itself(world: World) -> None:
    """Or one that the policy has no more."""
    await world.happens(wait_exceeded("e4", last=True, queue="attic"))
    assert (await world.told())[-1] == ("queue-attic", "wait_exceeded")


async def test_whoever_can_answer_is_warned_and_the_supervisor_told_of_a_breach(
    world: World,
) -> None:
    """Each once; an answer acknowledges the warning, and the supervisor sees the breach herself."""
    await world.happens(returned("e4", queue="warehouse"))
    await world.happens(of_clock("e5", "warned", to="queue-warehouse"))
    await world.happens(of_clock("e6", "breached", queue="warehouse"))
    await world.everything_again()
    assert (await world.told())[-2:] == [
        ("queue-warehouse", "sla_warned"),
        ("agent-marek", "sla_breached"),
    ]
    still = await world.open()
    late = {"queue": "warehouse", "answered": True, "warned": True}
    await world.happens(of_clock("e7", "breached", "agent:ewa", **late))
    assert (await world.open()).count("queue-warehouse") == still.count("queue-warehouse") - 1
    assert (await world.open())[-1] == "agent-marek"


async def test_an_answer_of_which_nobody_was_warned_concerns_nobody(world: World) -> None:
    """Nor does one by the provider's own program: nobody here knows who it was."""
    before = await world.notes()
    await world.happens(of_clock("e4", "met", "agent:piotr"))
    await world.happens(of_clock("e5", "met", "channel:chat/shop", warned=True))
    assert await world.notes() == before


@pytest.mark.parametrize(
    ("before", "recipient"),
    [
        ([], "agent-piotr"),
        ([returned("e7", queue="warehouse")], "queue-warehouse"),
        ([resolved("e7")], "queue-hotline"),
        ([resolved("e7"), signed_in("e8a", "marek")], "agent-marek"),
    ],
    ids=["owned", "queued", "resolved", "resolved_and_there"],
)
async def test_a_message_that_did_not_arrive_is_told_once(
    world: World, before: list[AnyEvent], recipient: str
) -> None:
    """To whoever has the matter; of a resolved one, to whoever wrote, if he is still there, else to its queue."""
    await world.happens(message("e5"), sent("e6"), *before, failed("e8"), failed("e9"))
    told = [each for each in await world.told() if each[1] == "message_failed"]
    assert told == [(recipient, "message_failed")]


@pytest.mark.parametrize(
    ("before", "recipient"),
    [
        ([], "agent-piotr"),
        ([returned("e7", queue="warehouse")], "queue-warehouse"),
        ([resolved("e7")], "queue-hotline"),
        ([resolved("e7"), signed_in("e8a", "marek")], "agent-marek"),
    ],
    ids=["owned", "queued", "resolved", "resolved_and_there"],
)
async def test_a_message_of_which_nobody_knows_whether_it_arrived_is_told_once(
    world: World, before: list[AnyEvent], recipient: str
) -> None:
    """Nothing sends it again: a person is to find out. That it came back, if it does, is told besides."""
    await world.happens(message("e5"), *before, uncertain("e8"), uncertain("e9"))
    assert (await world.told())[-1] == (recipient, "message_uncertain")
    assert [reason for _, reason in await world.told()].count("message_uncertain") == 1
    await world.happens(failed("e10"))
    assert (await world.told())[-1] == (recipient, "message_failed")


async def test_nobody_is_told_of_an_automatic_answer_that_did_not_arrive(world: World) -> None:
    """A person answers all the same: it answered nothing, and acknowledges nothing."""
    before = await world.open()
    told = await world.told()
    await world.happens(message("e5", agent=None), uncertain("e6"), failed("e7"))
    assert (await world.told(), await world.open()) == (told, before)


async def test_what_is_written_on_in_her_pause_is_told_until_she_answers(world: World) -> None:
    """To her, and by its time to whoever is there; each telling is a request of its own."""
    await world.happens(unattended("e4"), unattended("e5"))
    assert (await world.told())[2:] == [("agent-piotr", "new_request")] * 2
    await world.happens(message("e6", agent="piotr"))
    assert await world.open() == ["agent-piotr"]


async def test_what_was_asked_for_in_a_merged_conversation_is_asked_for_there_no_more(
    world: World,
) -> None:
    """It goes on in another one, whose holder is told: nothing escalates in its old place, whoever knew of it."""
    await world.happens(joined("e4"), message("e5"), failed("e6"), absorbed("e7"))
    notes = await world.notes()
    asked = {
        n.open.notification_id: n.open.reason for n in notes if isinstance(n, NotificationRequested)
    }
    withdrawn = [each for each in notes if isinstance(each, NotificationWithdrawn)]
    assert {each.open.into for each in withdrawn} == {"c2"}
    gone = [asked[each.open.notification_id] for each in withdrawn]
    assert gone == ["owner_changed", "new_request"], (
        "a message that did not arrive stands there alone"
    )
    before, shown = await world.notes(), len(world.screens.sent)
    for each in withdrawn:
        timer = Timer(
            tenant=TENANT,
            aggregate=NOTIF,
            kind="notification_escalation",
            id=each.open.notification_id,
            due=each.recorded,
        )
        await world.notifying().on_timer(timer, 1)
    assert (await world.notes(), len(world.screens.sent)) == (before, shown)


async def test_whoever_has_a_matter_by_a_merge_has_seen_that_it_waited() -> None:
    """Her conversation went on in one that waited in a queue: she owns both, and the queue need not look."""
    world = World()
    await world.happens(received("e1", "chat-1"), queued("e2", "chat-1"))
    await world.happens(merged_into("e3", owner="piotr"))
    assert (await world.told(), await world.open()) == (
        [("queue-hotline", "new_request"), ("agent-piotr", "owner_changed")],
        ["agent-piotr"],
    )


async def test_who_writes_again_has_seen_that_it_did_not_arrive(world: World) -> None:
    """Another message of the same agent acknowledges the notice."""
    await world.happens(message("e5", agent="piotr"), failed("e6"))
    assert await world.open() == ["agent-piotr", "agent-piotr"]
    await world.happens(message("e7", message_id="m2", agent="piotr"))
    assert await world.open() == ["agent-piotr"]


async def test_what_goes_by_another_way_as_well_acknowledges_nothing(world: World) -> None:
    """A timer asked for it: the agent whose words it brings has seen nothing by it."""
    await world.happens(message("e5", agent="piotr"), failed("e6"))
    again = message("e7", message_id="m2", agent="piotr")
    brings = replace(again.open, instead_of=[MessageId("m1")])
    await world.happens(replace(again, data=replace(again.data, open=brings)))
    assert await world.open() == ["agent-piotr", "agent-piotr"]


async def test_a_callback_is_told_to_its_queue_once(world: World) -> None:
    """A call that never stood in a queue is owed an answer as well; who tries it has seen it."""
    await world.happens(owed("e4"), owed("e5"))
    assert (await world.told())[2:] == [("queue-hotline", "new_request")]
    await world.happens(tried("e6", "another"))
    assert "queue-hotline" in await world.open()
    await world.happens(tried("e7"))
    assert "queue-hotline" not in await world.open()


@pytest.mark.parametrize("event", [accepted("e5", contact="call-2"), reached("e5")])
async def test_the_owner_who_takes_a_second_call_is_not_told_that_she_owns_it(
    world: World, event: AnyEvent
) -> None:
    """There was no change of owner; that she was called is acknowledged all the same."""
    await world.happens(joined("e4", "call-2"), event)
    assert (await world.told())[2:] == [("agent-piotr", "new_request")]
    assert await world.open() == ["agent-piotr"]


async def test_who_takes_it_again_out_of_a_queue_owns_it_anew(world: World) -> None:
    """It was nobody's in between."""
    await world.happens(expired("e4", "queue-hotline"), accepted("e5"))
    assert (await world.told())[3:] == [("agent-piotr", "owner_changed")]


async def test_a_contact_that_moves_to_another_queue_is_told_there(world: World) -> None:
    """What she pressed leads to others: they must know that she waits, once."""
    moved = (queued("e5", "chat-1", "warehouse"), queued("e6", "chat-1", "warehouse"))
    await world.happens(queued("e4", "chat-1"), *moved)
    told = [(f"queue-{name}", "new_request") for name in ("hotline", "warehouse")]
    assert (await world.told())[2:] == told


async def test_a_contact_that_waits_again_after_somebody_had_it_is_told_again(world: World) -> None:
    """The owner went home and the customer wrote once more: the queue must know that it waits."""
    await world.happens(queued("e4", "chat-1"))
    assert (await world.told())[2:] == [("queue-hotline", "new_request")]
    await world.happens(queued("e5", "chat-1"))
    assert len(await world.told()) == 3


async def test_everything_delivered_again_tells_nobody_again(world: World) -> None:
    """Whatever was acknowledged since: the decision depends on what stood before the event, not on now."""
    await world.happens(
        queued("e4", "chat-1"),
        queued("e5", "chat-1"),
        accepted("e6", contact="chat-1"),
        joined("e7"),
        received("e8"),
        owed("e9"),
        wrapped_up("e10"),
        tried("e11"),
        expired("e12"),
        transferred("e13"),
        accepted("e14", "ewa", contact="call-2"),
        message("e15", agent="ewa"),
        joined("e16", "mail-2", owner="ewa"),
        queued("e17", "mail-2"),
    )
    assert (await world.open())[-2:] == ["agent-ewa", "queue-hotline"]
    before, shown = await world.notes(), len(world.screens.sent)
    await world.everything_again()
    assert await world.notes() == before
    assert len(world.screens.sent) == shown


async def test_whoever_has_it_now_and_whoever_had_it_are_told_by_a_supervisors_act(
    world: World,
) -> None:
    """Once each; and who gave away what was hers need not be told so."""
    await world.happens(assigned("e4", "marek", by="ewa", owner="piotr"))
    told = [("agent-marek", "owner_changed"), ("agent-piotr", "reassigned")]
    assert (await world.told())[2:] == told
    await world.everything_again()
    assert (await world.told())[2:] == told
    await world.happens(assigned("e5", "ewa", by="marek", owner="marek"))
    assert (await world.told())[4:] == [("agent-ewa", "owner_changed")]


async def test_what_waited_was_seen_by_the_supervisor_who_gave_it_to_somebody() -> None:
    """Not by the one who was given it: she is told herself, and has not seen that yet."""
    world = World()
    await world.happens(queued("e1", "chat-1"), assigned("e2", "marek", by="ewa"))
    seen = [each for each in await world.notes() if isinstance(each, NotificationAcknowledged)]
    assert [each.open.by for each in seen] == ["ewa"]
    assert await world.open() == ["agent-marek"]


async def test_who_accepts_while_the_customer_holds_is_told_so_until_she_does_not(
    world: World,
) -> None:
    """She has taken the matter and not yet the customer: whoever takes her off hold has seen that."""
    await world.happens(hold("e4"), transferred("e5"))
    assert (await world.told())[-1] == ("agent-ewa", "left_on_hold")
    await world.happens(hold("e6", ends=True))
    seen = [each for each in await world.notes() if isinstance(each, NotificationAcknowledged)]
    assert seen[-1].open.by == "ewa"
    assert "agent-ewa" not in await world.open()


@pytest.mark.parametrize("over", [expired, refused])
async def test_who_gets_a_transfer_back_knows_whether_the_customer_still_holds(
    world: World, over: Callable[[str, str], AnyEvent]
) -> None:
    """She held for a colleague who does not come: somebody has to speak with her."""
    await world.happens(hold("e4"), over("e5", "agent-piotr"))
    await world.happens(hold("e6", ends=True), over("e7", "agent-piotr"))
    told = [("agent-piotr", "left_on_hold"), ("agent-piotr", "new_request")]
    assert (await world.told())[2:] == told
