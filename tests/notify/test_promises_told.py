"""Who is told of a promise: before its time is over, when it is, and when nobody will keep it."""

from shared.events import NotificationRequested, NotificationWithdrawn
from tests.notify.samples import (
    NOW,
    absorbed,
    accepted,
    message,
    of_promise,
    promise_overdue,
    queued,
)
from tests.notify.test_occasions import World


async def owned() -> World:
    """Piotr took a conversation of the hotline's queue."""
    world = World()
    await world.happens(queued("e1"), accepted("e3", "piotr"))
    return world


async def test_each_time_of_a_promise_is_told_of_its_own() -> None:
    """She is reminded, agrees another time, and that passes: each is told, and what she did shows what she saw."""
    world = await owned()
    await world.happens(of_promise("e4", "due_soon", to="agent-piotr"))
    assert (await world.told())[2:] == [("agent-piotr", "due_soon")]
    await world.happens(of_promise("e5", "renegotiated", before=NOW, late=False, moved=1))
    assert await world.open() == ["agent-piotr"]
    again = of_promise("e6", "due_soon", to="agent-piotr", moved=1)
    await world.happens(again, promise_overdue("e7", moved=1))
    assert [why for _, why in (await world.told())[3:]] == ["due_soon", "overdue"]
    await world.happens(of_promise("e8", "withdrawn", moved=1))
    assert await world.open() == ["agent-piotr"]


async def test_a_broken_promise_is_told_to_whom_it_names_until_she_has_seen_it() -> None:
    """Who gave it up knows that it was overdue; nobody else sees the break for her, wherever the matter goes on."""
    world = await owned()
    broken = of_promise("e5", "broken", promiser="piotr", to="agent-ewa")
    await world.happens(promise_overdue("e4"), broken)
    assert (await world.told())[3:] == [("agent-ewa", "promise_broken")]
    assert await world.open() == ["agent-piotr", "agent-ewa"]
    await world.everything_again()
    await world.happens(message("e6", agent="ewa"), absorbed("e7"))
    assert (await world.open())[-1] == "agent-ewa"
    notes = await world.notes()
    told = [each.open.notification_id for each in notes if isinstance(each, NotificationRequested)]
    gone = [each.open.notification_id for each in notes if isinstance(each, NotificationWithdrawn)]
    assert gone == told[1:2]
