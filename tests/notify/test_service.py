"""The running service on real NATS with a real mail server."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared import aggregates, commands, subjects
from shared.bus.deliveries import Message
from shared.codec import PlainCodec
from shared.events import AnyEvent, ConversationId, EventId
from shared.ids import scoped_id
from shared.ledger import Write
from shared.ledger.jetstream import NatsLedger
from tests.notify.running_notify import LANE, RunningNotify, lane_of
from tests.notify.samples import PACKET, TENANT, accepted, message, queued, transferred
from tests.support.waiting import eventually

SOON = {"times": {"notification_seconds": 0.5}}
REQUESTED, SENT = "notification.requested", "notification.sent"
OTHERS = [f"conv-other{number}" for number in range(1000)]
ACKNOWLEDGED, ESCALATED = "notification.acknowledged", "notification.escalated"


def known_as(event: AnyEvent) -> str:
    known: str = event.open.notification_id  # type: ignore[union-attr]
    return known


async def until_shown(notify: RunningNotify, count: int) -> None:
    async def met() -> bool:
        return len(notify.screens) >= count

    await eventually(met)


def acknowledgement(notification: str, **more: Any) -> dict[str, Any]:
    return {
        "command_id": "cmd-1",
        "issued_at": datetime.now(UTC).isoformat(),
        "actor": "agent:piotr",
        "conversation": "c1",
        "notification_id": notification,
        **more,
    }


async def test_a_ledger_that_went_back_ends_notify(notify: RunningNotify) -> None:
    """What it learned from an older copy is forgotten with the process; another one asks whose ledger it is."""
    notify.module = "tests.notify.unwatching_notify"
    service = await notify.start()
    stored, older = notify.folder / "nats" / "jetstream", notify.folder / "older"
    await notify.nats.stop()
    shutil.copytree(stored, older)
    await notify.nats.start()
    await notify.happens(*(queued(f"e{number}", f"call-{number}") for number in range(8)))
    await notify.until(lambda found: [each.type for each in found].count(SENT) == 8)
    await notify.nats.kill()
    shutil.rmtree(stored)
    older.rename(stored)
    await notify.nats.start()
    notify.ledger, notify.expected = NatsLedger(notify.bus, PlainCodec()), 0
    await notify.happens(queued("e9", "call-9"))

    async def ended() -> bool:
        return service.exit_code is not None

    await eventually(ended)
    assert service.exit_code == 1


async def test_one_notification_per_request_and_owner_however_often_delivered(
    notify: RunningNotify,
) -> None:
    """A request, its re-queue, an acceptance and a transfer give three notifications, also when all come again."""
    await notify.start()
    await notify.happens(queued("e1"), queued("e2"), accepted("e3"), transferred("e4"))
    wanted = [REQUESTED, SENT, ACKNOWLEDGED, REQUESTED, SENT, REQUESTED, SENT]
    events = await notify.until_types(*wanted)
    await until_shown(notify, 3)
    await notify.kill()
    await notify.deliver_again(LANE)
    await notify.start()
    await notify.idle()
    assert await notify.notifications() == events
    assert [(to, each["reason"]) for to, each in notify.screens] == [
        ("queue-hotline", "new_request"),
        ("agent-piotr", "owner_changed"),
        ("agent-ewa", "owner_changed"),
    ]
    assert notify.screens[1][1] == {
        "notification_id": known_as(events[3]),
        "reason": "owner_changed",
        "conversation": "c1",
        "about": accepted("e3").id,
        "recipient": "agent-piotr",
        "packet_id": PACKET,
    }


async def test_a_message_arrives_at_the_mail_server_and_is_reported(notify: RunningNotify) -> None:
    """The customer's mail holds what the agent wrote; the outcome names the conversation."""
    await notify.start()
    await notify.happens(message("e1", in_reply_to="<q@customer.example>"))
    outcome = await notify.until_outcome()
    assert outcome.type == "message.sent"
    assert outcome.conversation == "c1"
    (arrival,) = notify.sink.arrived
    assert arrival.recipients == ["anna@customer.example"]
    assert arrival.message["Subject"] == "Your parcel"
    assert arrival.message["In-Reply-To"] == "<q@customer.example>"
    assert "Zażółć gęślą jaźń" in arrival.message.get_content()


async def test_killed_during_data_the_message_is_uncertain_and_never_sent_again(
    notify: RunningNotify,
) -> None:
    """Signal 9 after the server took the mail and before it said so: one mail, outcome uncertain."""
    notify.sink.hold = True
    await notify.start()
    await notify.happens(message("e1"))

    async def taken() -> bool:
        return bool(notify.sink.arrived)

    await eventually(taken)
    await notify.kill()
    notify.sink.hold = False
    notify.sink.released.set()
    await notify.start()
    outcome = await notify.until_outcome()
    await notify.idle()
    assert outcome.type == "message.uncertain"
    assert len(notify.sink.arrived) == 1
    assert await notify.types() == [REQUESTED]
    assert len(await notify.outcomes()) == 1


async def test_a_mail_server_that_comes_back_gets_the_mail_once_and_delays_nobody(
    notify: RunningNotify,
) -> None:
    """While it is away agents are told all the same; once it is there the mail is delivered, once."""
    notify.sink.stop()
    await notify.start()
    await notify.happens(message("e1"), queued("e2"))
    await notify.until_types(REQUESTED, SENT)
    assert await notify.outcomes() == []
    notify.sink.start()
    outcome = await notify.until_outcome()
    await notify.idle()
    assert outcome.type == "message.sent"
    assert len(notify.sink.arrived) == 1


async def test_a_temporary_refusal_is_tried_again(notify: RunningNotify) -> None:
    """Greylisted first, taken later: one mail, sent."""
    notify.sink.rcpt = "451 try later"
    await notify.start()
    await notify.happens(message("e1"))

    async def refused() -> bool:
        return notify.sink.dialogues >= 2

    await eventually(refused)
    notify.sink.rcpt = "250 ok"
    assert (await notify.until_outcome()).type == "message.sent"
    assert len(notify.sink.arrived) == 1


async def test_a_refused_recipient_fails(notify: RunningNotify) -> None:
    """5yz: the conversation learns that the message failed."""
    notify.sink.rcpt = "550 no such user"
    await notify.start()
    await notify.happens(message("e1"))
    assert (await notify.until_outcome()).type == "message.failed"
    assert notify.sink.arrived == []


@pytest.mark.parametrize("notify", [SOON], indirect=True)
async def test_nobody_acknowledges_and_the_supervisor_is_told(notify: RunningNotify) -> None:
    """The timer fires, the question is answered yes, the supervisor's screen shows it."""
    await notify.start()
    await notify.happens(queued("e1"))
    events = await notify.until_types(REQUESTED, SENT, ESCALATED)
    await until_shown(notify, 2)
    to, shown = notify.screens[1]
    assert (to, shown["escalated"], shown["recipient"]) == (
        "agent-ewa",
        "agent-ewa",
        "queue-hotline",
    )
    assert shown["notification_id"] == known_as(events[0])


@pytest.mark.parametrize("notify", [SOON], indirect=True)
async def test_a_timer_that_ran_down_while_everything_was_stopped_escalates(
    notify: RunningNotify,
) -> None:
    """notify and NATS are down when the time comes; the escalation is made up for."""
    await notify.start()
    await notify.happens(queued("e1"))
    await notify.until(lambda found: len(found) >= 1)
    await notify.kill()
    await notify.nats.kill()
    await asyncio.sleep(0.7)  # the fault itself: the deadline passes while nothing runs
    await notify.nats.restart()
    await notify.start()
    await notify.until(lambda found: [each.type for each in found].count(ESCALATED) == 1)


async def test_the_same_acknowledgement_twice_is_one_effect_and_one_reply(
    notify: RunningNotify,
) -> None:
    """Sent again, also to a process started since, the command gets the same reply."""
    await notify.start()
    await notify.happens(queued("e1"))
    events = await notify.until_types(REQUESTED, SENT)
    body = acknowledgement(known_as(events[0]))
    first = await notify.command("acknowledge_notification", **body)
    await notify.kill()
    await notify.start()
    second = await notify.command("acknowledge_notification", **body)
    assert first == second
    assert first["ok"] is True
    (event,) = first["events"]
    assert event["type"] == ACKNOWLEDGED
    assert event["open"]["through"] == "command"
    assert first["position"] == event["sequence"]
    assert await notify.types() == [REQUESTED, SENT, ACKNOWLEDGED]


async def test_refused_commands_say_why(notify: RunningNotify) -> None:
    """Each misuse has its stable code, told again word for word, and none writes anything."""
    await notify.start()
    await notify.happens(queued("e1"))
    events = await notify.until_types(REQUESTED, SENT)
    known = known_as(events[0])
    day_ago = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    wanted = {
        "notification.unknown": acknowledgement("absent"),
        "command.too_old": acknowledgement(known, issued_at=day_ago),
        "command.too_new": acknowledgement(known, issued_at=ahead),
        "command.forbidden": acknowledgement(known, actor="agent:marek"),
        "agent.unknown": acknowledgement(known, actor="agent:nobody"),
        "command.unreadable": acknowledgement(known, surprise=1),
    }
    for code, body in wanted.items():
        named = {**body, "command_id": code}
        first, again = [await notify.command("acknowledge_notification", **named) for _ in range(2)]
        assert (first["error"]["code"], again) == (code, first)
    service = acknowledgement(known, actor="service:router", command_id="service")
    reply = await notify.command("acknowledge_notification", **service)
    assert reply["error"]["code"] == "command.forbidden"
    assert await notify.types() == [REQUESTED, SENT]


async def test_a_reused_command_id_is_refused(notify: RunningNotify) -> None:
    """The id stands for the body that it came with first."""
    await notify.start()
    await notify.happens(queued("e1"), queued("e2", "chat-1"))
    events = await notify.until_types(REQUESTED, SENT, REQUESTED, SENT)
    await notify.command("acknowledge_notification", **acknowledgement(known_as(events[0])))
    other = acknowledgement(known_as(events[2]))
    reply = await notify.command("acknowledge_notification", **other)
    assert reply["error"]["code"] == "command.id_reused"


async def test_an_unknown_type_is_parked_once_and_stops_nobody_else(notify: RunningNotify) -> None:
    """An event of a newer version is not skipped: it waits for a reader that knows it, and what comes after goes on."""
    subject = subjects.ledger(TENANT, next(each for each in OTHERS if lane_of(each) == LANE))
    newer = b'{"specversion":"1.0","type":"conversation.renamed","id":"x"}'
    stored = await notify.bus.store(subject, newer, msg_id="newer")
    await notify.happens(queued("e1"))
    parked: list[commands.ParkWork] = []

    async def router(message: Message) -> None:
        parked.append(msgspec.json.decode(message.body, type=commands.ParkWork))
        done = commands.Done(events=[], position=1)
        await notify.bus.answer(message.reply, msgspec.json.encode(done))

    await notify.start()
    assert await notify.types() == []
    await notify.bus.subscribe(subjects.command(TENANT, "park_work"), router)
    await notify.until_types(REQUESTED, SENT)
    await notify.idle()
    places = [(each.consumer, each.stream, each.sequence, each.error) for each in parked]
    assert places == [(LANE, "LEDGER", stored.sequence, "event.unknown_type")]


async def test_a_killed_server_delays_and_loses_nothing(notify: RunningNotify) -> None:
    """NATS dies by signal 9 and comes back: notify goes on by itself."""
    await notify.start()
    await notify.happens(queued("e1"))
    await notify.until_types(REQUESTED, SENT)
    await notify.nats.kill()
    await notify.nats.restart()
    await notify.happens(accepted("e2"), message("e3"))
    await notify.until_outcome()
    await notify.idle()
    assert (await notify.types()).count(REQUESTED) == 3
    assert len(notify.sink.arrived) == 1


async def test_it_refuses_to_start_on_drift(notify: RunningNotify) -> None:
    """A consumer that is missing is not made up: the service says so, and what mends it, and ends."""
    await notify.bus.api("CONSUMER.DELETE.TIMERS.notify-sending")
    child = await notify.launch()
    assert await child.wait() == 1
    said = (notify.folder / "notify.log").read_text()
    assert "stream.drift" in said
    assert "python -m deploy.bootstrap" in said


@pytest.mark.parametrize("notify", [{"transports": ["pigeon"]}], indirect=True)
async def test_it_refuses_to_start_with_a_transport_that_it_does_not_have(
    notify: RunningNotify,
) -> None:
    """Agents who would never be told are found at start, with a code, and not when a customer waits."""
    child = await notify.launch()
    assert await child.wait() == 1
    written = (notify.folder / "notify.log").read_text()
    assert "policy.invalid" in written
    assert "pigeon" in written


def of(conversation: str, event: AnyEvent) -> AnyEvent:
    """Return an event as it happens to another conversation."""
    return msgspec.structs.replace(
        event,
        id=EventId(scoped_id(conversation, event.id)),
        aggregate=aggregates.CONVERSATION.of(conversation),
        conversation=ConversationId(conversation),
    )


async def test_two_that_share_the_lanes_keep_the_order_of_each_conversation(
    notify: RunningNotify,
) -> None:
    """One is killed in the middle, and another one after it is back: each conversation is told as by one alone."""
    names = [f"many-{number}" for number in range(48)]
    way = (queued("e1"), accepted("e2"), transferred("e3"))
    wanted = [REQUESTED, SENT, ACKNOWLEDGED, REQUESTED, SENT, REQUESTED, SENT]

    async def happen(some: list[str]) -> None:
        for name in some:
            events = [of(name, event) for event in way]
            await notify.ledger.append(TENANT, [Write(aggregates.CONVERSATION.of(name), 0, events)])

    async def told() -> dict[str, list[str]]:
        return {
            name: [each.type for each in await notify.notifications(ConversationId(name))]
            for name in names
        }

    async def all_told() -> bool:
        return all(len(found) >= len(wanted) for found in (await told()).values())

    async def both_ask() -> bool:
        found = await notify.bus.api(f"CONSUMER.INFO.LEDGER.{LANE}")
        return bool(found["num_waiting"] == 2)

    first, _ = await notify.launch(), await notify.launch()
    await eventually(both_ask)
    await happen(names[:24])
    await first.kill()
    third = await notify.launch()
    await happen(names[24:])
    await third.kill()
    await eventually(all_told)
    await notify.idle()
    assert await told() == dict.fromkeys(names, wanted)
