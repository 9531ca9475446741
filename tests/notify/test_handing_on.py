"""Messages to customers as the lanes hand them on: once, whatever is lost, and whoever else reads the ledger."""

from datetime import timedelta
from typing import Any

import msgspec

from deploy import bootstrap
from services.notify.handlers import MessageHandler
from services.notify.older import OlderReader
from shared import aggregates, arming, ensuring, events, settings, streams, subjects, timers
from shared.arrivals import ArrivedMessage
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage
from shared.codec import PlainCodec, encode
from shared.ledger import Write
from shared.rearming import PendingTimers
from tests.notify.running_notify import RunningNotify
from tests.notify.samples import CONVERSATION, NOW, TENANT, message, queued, sent
from tests.support.memory_ledger import MemoryLedger
from tests.support.waiting import eventually

A_DAY_LATER = (NOW + timedelta(days=36_500)).isoformat()
OLDER = streams.WantedStreams(consumers=[streams.notify_messages()])
CONV = aggregates.CONVERSATION.of(CONVERSATION)


async def state_of(bus: Bus, stream: str, consumer: str) -> dict[str, Any]:
    return await bus.api(f"CONSUMER.INFO.{stream}.{consumer}")


async def pause(bus: Bus, stream: str, consumer: str) -> None:
    await bus.api(f"CONSUMER.PAUSE.{stream}.{consumer}", {"pause_until": A_DAY_LATER})


async def until_mails(notify: RunningNotify, count: int) -> None:
    async def met() -> bool:
        return len(notify.sink.arrived) >= count

    await eventually(met)


async def test_where_an_older_version_may_run_what_it_reads_is_sent_from_there(
    notify: RunningNotify,
) -> None:
    """Once each: while its consumer stands, when that is taken away, and when it is made again."""
    await ensuring.ensure(notify.bus, OLDER)
    await notify.start()
    await notify.happens(message("e1"))
    await until_mails(notify, 1)
    await notify.idle()
    await notify.bus.api("CONSUMER.DELETE.LEDGER.notify-messages")
    await notify.happens(message("e2", message_id="m2"))
    await until_mails(notify, 2)
    await ensuring.ensure(notify.bus, OLDER)
    await notify.happens(message("e3", message_id="m3"))
    await until_mails(notify, 3)
    await notify.idle()
    assert len(notify.sink.arrived) == 3
    assert {each.type for each in await notify.outcomes()} == {"message.sent"}
    assert await notify.types() == ["notification.requested", "notification.sent"] * 3


async def test_what_an_older_version_has_not_come_to_is_not_sent_past_it(
    notify: RunningNotify,
) -> None:
    """It might be about to send it. When it is gone for good, nothing is forgotten."""
    await ensuring.ensure(notify.bus, OLDER)
    await pause(notify.bus, streams.LEDGER, streams.NOTIFY_MESSAGES)
    await notify.start()
    await notify.happens(message("e1"))

    async def looked_at_again() -> bool:
        state = await state_of(notify.bus, streams.TIMERS, streams.NOTIFY_SENDING)
        return bool(state["num_redelivered"])

    await eventually(looked_at_again)
    assert await notify.types() == []
    await notify.bus.api("CONSUMER.DELETE.LEDGER.notify-messages")
    await until_mails(notify, 1)
    await notify.idle()
    assert [each.type for each in await notify.outcomes()] == ["message.sent"]


async def test_what_was_handed_on_is_not_lost_with_its_stream(notify: RunningNotify) -> None:
    """The lane is through with it, and TIMERS is deleted: the ledger says what is still to leave."""
    await notify.start()
    await notify.happens(message("e1"))
    await until_mails(notify, 1)
    await notify.until_outcome()
    await pause(notify.bus, streams.TIMERS, streams.NOTIFY_SENDING)
    await notify.happens(message("e2", message_id="m2"))

    async def handed_on() -> bool:
        state = await state_of(notify.bus, streams.TIMERS, streams.NOTIFY_SENDING)
        return bool(state["num_pending"])

    await eventually(handed_on)
    await notify.kill()
    await notify.bus.api("STREAM.DELETE.TIMERS")
    await bootstrap.bootstrap(settings.load(notify.environment))
    await notify.start()
    await until_mails(notify, 2)
    await notify.idle()
    assert len(notify.sink.arrived) == 2


async def test_a_provider_that_is_away_keeps_back_nothing_that_comes_behind(
    notify: RunningNotify,
) -> None:
    """Eighty mails wait to be tried again, each in a place of its own: whatever else is handed on is given."""
    notify.sink.rcpt = "451 busy"
    await notify.start()
    await notify.happens(*(message(f"e{n}", message_id=f"m{n}") for n in range(80)))

    async def all_given() -> bool:
        state = await state_of(notify.bus, streams.TIMERS, streams.NOTIFY_SENDING)
        return bool(state["num_ack_pending"] == 80)

    await eventually(all_given)


async def test_those_of_a_conversation_come_one_after_another_each_once(
    notify: RunningNotify,
) -> None:
    """On one subject, which a worker takes in order; handed on twice, each stands there once."""
    timer = timers.Timer(
        tenant=TENANT,
        aggregate=CONV,
        kind=timers.MESSAGE_SENDING.name,
        id="m1",
        due=NOW,
        sequence=7,
    )
    armed = arming.NatsTimers(notify.bus)
    for each in (timer, timer, msgspec.structs.replace(timer, id="m2", sequence=8)):
        await armed.arm(each)
    found = [await notify.bus.leader_get(streams.TIMERS, sequence=number) for number in (1, 2, 3)]
    stored = [each for each in found if each is not None]
    subject = subjects.fired(TENANT, CONV, timer.kind, arming.NOW)
    assert {each.subject for each in stored} == {subject}
    assert [timers.read_timer(each.body).sequence for each in stored] == [7, 8]


def test_what_has_not_ended_is_handed_on_again() -> None:
    """By its place in the ledger, until its first outcome."""
    found = PendingTimers("notify")
    asked, other = message("e1"), message("e2", message_id="m2")
    way: list[events.AnyEvent] = [queued("q1"), asked, other, sent("o1", "m1")]
    for sequence, event in enumerate(way, 4):
        found.see(StoredMessage(sequence, "", encode(event), {}, NOW))
    (left,) = found.timers.values()
    assert left in timers.at_once(other, 6)


class Sent:
    """Stands in the place of `Sending`, and of the older reader, who has nothing."""

    def __init__(self) -> None:
        self.handled: list[str] = []

    async def on_event(self, event: events.AnyEvent, _: int) -> None:
        self.handled.append(event.id)


class Nobody(OlderReader):
    """No older version."""

    def __init__(self) -> None: ...

    async def has(self, sequence: int) -> bool:
        return sequence < 0


async def test_only_the_message_that_was_meant_is_sent() -> None:
    """Where an older copy stands in the ledger's place, another event may stand at its number."""
    ledger, sending = MemoryLedger(), Sent()
    meant = message("e1")
    await ledger.append(TENANT, [Write(CONV, 0, [queued("q1"), meant])])
    handler = MessageHandler(PlainCodec(), ledger, sending, Nobody())  # type: ignore[arg-type]
    for sequence in (1, 2):
        (timer,) = timers.at_once(meant, sequence)
        await handler.send(ArrivedMessage("", msgspec.json.encode(timer), 1, 1))
    assert sending.handled == [meant.id]
